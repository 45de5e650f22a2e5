import type { Said } from "./cluster-text.ts";

/** States as words: what is well is plain text, what is not stands in a frame of its colour. */
export function Saying({ said }: { readonly said: readonly Said[] }) {
  return (
    <span class="saying">
      {said.map(({ word, tone, more }) => (
        <span key={word}>
          <span class={tone === "well" ? "" : `state tone-${tone}`}>{word}</span>
          {more === undefined ? "" : ` ${more}`}
        </span>
      ))}
    </span>
  );
}
