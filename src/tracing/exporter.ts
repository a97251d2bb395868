/**
 * What leaves this process as spans: without secrets.
 * @module
 */
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace-base';
import { redactor } from '../adapters/secrets/index.js';

export class RedactingExporter implements SpanExporter {
  private failing = false;

  constructor(
    private readonly next: SpanExporter,
    /** Called when a collector stops taking spans, and when it takes them again. */
    private readonly warn: (text: string) => void,
  ) {}

  export(...[spans, done]: Parameters<SpanExporter['export']>): void {
    this.next.export(spans.map(redacted), (result) => {
      const { error } = result;
      const failing = error !== undefined;
      if (failing !== this.failing)
        this.warn(failing ? `spans are lost, runs are unaffected: ${error.message}` : 'spans are taken again');
      this.failing = failing;
      done(result);
    });
  }

  shutdown(): Promise<void> {
    return this.next.shutdown();
  }

  async forceFlush(): Promise<void> {
    await this.next.forceFlush?.();
  }
}

function redacted(span: ReadableSpan): ReadableSpan {
  // Of a class, whose getters a copy would lose.
  return Object.create(span, {
    name: { value: redactor.text(span.name) },
    status: { value: redactor.value(span.status) },
    attributes: { value: redactor.value(span.attributes) },
  }) as ReadableSpan;
}
