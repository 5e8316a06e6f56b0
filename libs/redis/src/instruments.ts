import type { MetricObject } from 'prom-client';

type Labels<L extends string> = Readonly<Record<L, string>>;

/** One series of a counter: keep it where something is counted often, it costs an addition. */
export interface CounterSeries {
  inc(by?: number): void;
}

/** One series of a histogram: keep it where something is measured often. */
export interface HistogramSeries {
  observe(seconds: number): void;
}

/**
 * Counters and histograms for hot paths, exported through a prom-client registry. prom-client's own look up and hash their
 * labels at every call, which cost more than the Redis command that was being measured.
 */
abstract class Instrument<L extends string, Series> {
  readonly #series = new Map<string, readonly [Labels<L>, Series]>();

  constructor(
    readonly name: string,
    protected readonly help: string,
    private readonly labelNames: readonly L[],
  ) {}

  /** The series with these labels, made at its first use. */
  labels(labels: Labels<L>): Series {
    let id = '';
    for (const name of this.labelNames) id += `${labels[name]}\0`;
    let entry = this.#series.get(id);
    if (entry === undefined) this.#series.set(id, (entry = [{ ...labels }, this.create()]));
    return entry[1];
  }

  protected abstract create(): Series;

  protected get series(): readonly (readonly [Labels<L>, Series])[] {
    return [...this.#series.values()];
  }
}

/** Counts upwards. */
export class Counter<L extends string = never> extends Instrument<L, CounterSeries & { readonly value: number }> {
  constructor(name: string, help: string, labelNames: readonly L[]) {
    super(name, help, labelNames);
    if (labelNames.length === 0) this.labels({} as Labels<L>); // shown as 0 before anything was counted
  }

  inc(labels: Labels<L>, by = 1): void {
    this.labels(labels).inc(by);
  }

  protected create() {
    return {
      value: 0,
      inc(by = 1) {
        this.value += by;
      },
    };
  }

  /** What prom-client asks of a metric. */
  get(): Promise<MetricObject & { values: unknown[] }> {
    const values = this.series.map(([labels, { value }]) => ({ labels, value }));
    return Promise.resolve({ ...described(this.name, this.help, 'counter'), values });
  }
}

/** Measures how durations are spread. */
export class Histogram<L extends string = never> extends Instrument<L, Distribution> {
  constructor(
    name: string,
    help: string,
    labelNames: readonly L[],
    private readonly buckets: readonly number[],
  ) {
    super(name, help, labelNames);
  }

  protected create(): Distribution {
    return new Distribution(this.buckets);
  }

  /** What prom-client asks of a metric. */
  get(): Promise<MetricObject & { values: unknown[] }> {
    const values = this.series.flatMap(([labels, { counts, sum }]) => {
      let total = 0;
      const edges = [...this.buckets, '+Inf'].map((le, index) => {
        total += counts[index]!;
        return { metricName: `${this.name}_bucket`, labels: { le, ...labels }, value: total };
      });
      return [
        ...edges,
        { metricName: `${this.name}_sum`, labels, value: sum },
        { metricName: `${this.name}_count`, labels, value: total },
      ];
    });
    return Promise.resolve({ ...described(this.name, this.help, 'histogram'), values });
  }
}

class Distribution implements HistogramSeries {
  readonly counts: Float64Array;
  sum = 0;

  constructor(private readonly buckets: readonly number[]) {
    this.counts = new Float64Array(buckets.length + 1);
  }

  observe(seconds: number): void {
    let index = 0;
    while (index < this.buckets.length && seconds > this.buckets[index]!) index++;
    this.counts[index]!++;
    this.sum += seconds;
  }
}

function described(name: string, help: string, type: string): MetricObject {
  return { name, help, type, aggregator: 'sum' } as unknown as MetricObject;
}
