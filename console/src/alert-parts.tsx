import { absolute, ago } from "./moment.ts";

/** What rules, alerts and notifications are shown with. */

/** A state as a word in its colour. */
export function State({ state }: { readonly state: string }) {
  return <span class={`state state-${state}`}>{state}</span>;
}

/** How long ago; the moment itself where one points at it. */
export function Ago({ time, now }: { readonly time: string; readonly now: number }) {
  return (
    <time dateTime={time} title={absolute(time)}>
      {ago(time, now)}
    </time>
  );
}

export function Labels({ labels }: { readonly labels: Readonly<Record<string, string>> }) {
  const all = Object.entries(labels);
  if (all.length === 0) return null;
  return (
    <ul class="labels" aria-label="labels">
      {all.map(([name, value]) => (
        <li key={name}>
          {name}={value}
        </li>
      ))}
    </ul>
  );
}
