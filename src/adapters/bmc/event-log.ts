/** The newest entries are the evidence of what happened a moment ago; a full log has thousands. */
export const EVENT_LOG_LINES = 20;
