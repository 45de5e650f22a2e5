import { useRef, useState } from "preact/hooks";
import type { Histogram, Range } from "./api.ts";
import { shownTime } from "./range.ts";

const width = 1000;
const height = 90;
const levels = ["fatal", "error", "warn", "info", "debug"];

/** Counts over time, stacked by level. Dragging over it, or Enter on a bar, chooses a span. */
export function HistogramChart(props: {
  readonly data: Histogram | undefined;
  /** What was asked; the axis shows it where nothing was found. */
  readonly range: Range | undefined;
  readonly onSelect: (from: number, to: number) => void;
}) {
  const { data, range, onSelect } = props;
  const [drag, setDrag] = useState<{ from: number; to: number } | undefined>(undefined);
  const svg = useRef<SVGSVGElement>(null);
  if (data === undefined) return <div class="histogram empty" aria-hidden="true" />;
  const start = Date.parse(data.start);
  const buckets = Math.max(1, ...data.series.map(({ counts }) => counts.length));
  const bars = stacked(data, buckets);
  const step = width / buckets;

  const bucketAt = (event: PointerEvent): number => {
    const box = svg.current?.getBoundingClientRect();
    if (box === undefined) return 0;
    const share = (event.clientX - box.left) / box.width;
    return Math.min(buckets - 1, Math.max(0, Math.floor(share * buckets)));
  };
  const finish = (event: PointerEvent): void => {
    if (drag === undefined) return;
    const to = bucketAt(event);
    setDrag(undefined);
    const [first, last] = drag.from <= to ? [drag.from, to] : [to, drag.from];
    onSelect(start + first * data.stepMs, start + (last + 1) * data.stepMs);
  };
  const total = data.series.reduce((sum, series) => sum + series.total, 0);
  const lastBucketEnd = new Date(start + buckets * data.stepMs).toISOString();
  const end = total === 0 ? (range?.end ?? lastBucketEnd) : lastBucketEnd;

  return (
    <div class="histogram">
      <svg
        ref={svg}
        viewBox={`0 0 ${width} ${height}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`${total.toLocaleString()} records over time; drag to choose a span`}
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId);
          const at = bucketAt(event);
          setDrag({ from: at, to: at });
        }}
        onPointerMove={(event) => {
          if (drag !== undefined) setDrag({ from: drag.from, to: bucketAt(event) });
        }}
        onPointerUp={finish}
        onPointerCancel={() => setDrag(undefined)}
      >
        <Bars data={data} bars={bars} step={step} />
        {drag !== undefined && (
          <rect
            class="selection"
            x={Math.min(drag.from, drag.to) * step}
            y={0}
            width={(Math.abs(drag.to - drag.from) + 1) * step}
            height={height}
          />
        )}
      </svg>
      <div class="axis">
        <span>{shownTime(data.start).slice(0, 19)}</span>
        <span>{total.toLocaleString()} records</span>
        <span>{shownTime(end).slice(0, 19)}</span>
      </div>
    </div>
  );
}

function Bars({
  data,
  bars,
  step,
}: {
  readonly data: Histogram;
  readonly bars: readonly Bar[];
  readonly step: number;
}) {
  const start = Date.parse(data.start);
  const highest = Math.max(1, ...bars.map(({ total }) => total));
  return (
    <>
      {bars.map((bar, at) => {
        let y = height;
        return (
          <g key={at}>
            <title>{`${shownTime(new Date(start + at * data.stepMs).toISOString())}: ${bar.total.toLocaleString()}`}</title>
            <rect x={at * step} y={0} width={step} height={height} class="hit" />
            {bar.parts.map(({ level, count }) => {
              const tall = (count / highest) * (height - 2);
              y -= tall;
              return (
                <rect
                  key={level}
                  x={at * step + step * 0.08}
                  y={y}
                  width={step * 0.84}
                  height={tall}
                  class={`bar level-${level}`}
                />
              );
            })}
          </g>
        );
      })}
    </>
  );
}

interface Bar {
  readonly total: number;
  readonly parts: readonly { readonly level: string; readonly count: number }[];
}

function stacked(data: Histogram, buckets: number): Bar[] {
  return Array.from({ length: buckets }, (_, at) => {
    const byLevel = new Map<string, number>();
    for (const { value, counts } of data.series) {
      const level = levelOf(value ?? "");
      byLevel.set(level, (byLevel.get(level) ?? 0) + (counts[at] ?? 0));
    }
    const parts = [...byLevel]
      .map(([level, count]) => ({ level, count }))
      .filter(({ count }) => count > 0);
    parts.sort((a, b) => levels.indexOf(a.level) - levels.indexOf(b.level));
    return { total: parts.reduce((sum, { count }) => sum + count, 0), parts };
  });
}

/** The class a level is coloured by. */
export function levelOf(level: string): string {
  const lower = level.toLowerCase();
  if (/^(fatal|crit|alert|emerg|panic)/.test(lower)) return "fatal";
  if (lower.startsWith("err")) return "error";
  if (lower.startsWith("warn")) return "warn";
  if (/^(debug|trace)/.test(lower)) return "debug";
  return lower.startsWith("info") || lower === "notice" ? "info" : "other";
}
