/** The newest entries are the evidence of what happened a moment ago; a full log has thousands. */
export const EVENT_LOG_LINES = 20;

/** An entry is a sentence. What is longer fills histories and says no more. */
const LINE_LIMIT = 300;
export const eventLogLine = (text: string): string => text.slice(0, LINE_LIMIT);
