import { useEffect, useRef, useState } from "preact/hooks";
import type { AlertTest, RuleListed } from "../../api/src/alerts.ts";
import { Ago } from "./alert-parts.tsx";
import { deleteRule, testRule } from "./alerts-api.ts";
import { shownProblem } from "./api.ts";
import { CopyButton } from "./copy-button.tsx";
import { hashOf } from "./route.ts";
import { ruleYaml } from "./rule-text.ts";

/** The whole of a rule, and what can be done with it. */
export function RuleDetails(props: {
  readonly listed: RuleListed;
  readonly now: number;
  readonly onDeleted: (name: string) => void;
}) {
  const { listed, now, onDeleted } = props;
  const { name } = listed.rule;
  const [isAsking, setAsking] = useState(false);
  const yaml = ruleYaml(listed.rule);
  return (
    <div class="rule-details">
      <p class="hint">
        Version {listed.version}, changed <Ago time={listed.updatedAt} now={now} />
        {listed.evaluatedAt !== undefined && (
          <>
            , evaluated <Ago time={listed.evaluatedAt} now={now} />
          </>
        )}
      </p>
      <div class="snippet">
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard. */}
        <pre tabIndex={0}>{yaml}</pre>
        <CopyButton text={yaml} what={`the rule ${name}`} />
      </div>
      <div class="actions">
        <a class="button" href={hashOf({ view: "rule-edit", name })}>
          Edit
        </a>
        <TestButton name={name} />
        <button type="button" class="danger" onClick={() => setAsking(true)}>
          Delete
        </button>
      </div>
      {isAsking && (
        <DeleteDialog
          name={name}
          onClose={() => setAsking(false)}
          onDeleted={() => onDeleted(name)}
        />
      )}
    </div>
  );
}

type Tried =
  | { readonly kind: "idle" | "busy" }
  | { readonly kind: "answered"; readonly answer: AlertTest }
  | { readonly kind: "failed"; readonly detail: string };

/** Sends a notification that says it is a test, and shows what each receiver said. */
function TestButton({ name }: { readonly name: string }) {
  const [tried, setTried] = useState<Tried>({ kind: "idle" });
  const test = async (): Promise<void> => {
    setTried({ kind: "busy" });
    try {
      setTried({ kind: "answered", answer: await testRule(name) });
    } catch (thrown) {
      setTried({ kind: "failed", detail: shownProblem(thrown).detail });
    }
  };
  return (
    <>
      <button type="button" disabled={tried.kind === "busy"} onClick={() => void test()}>
        Send a test
      </button>
      <div class="tried" role="status">
        {tried.kind === "busy" && "sending…"}
        {tried.kind === "failed" && <span class="warning">{tried.detail}</span>}
        {tried.kind === "answered" && <TestAnswer answer={tried.answer} />}
      </div>
    </>
  );
}

function TestAnswer({ answer }: { readonly answer: AlertTest }) {
  if (answer.deliveries.length === 0) return <>The rule names no receiver.</>;
  return (
    <ul class="deliveries">
      {answer.deliveries.map(({ url, delivered, reason }, at) => (
        <li key={at}>
          <span class={`outcome outcome-${delivered ? "delivered" : "refused"}`}>
            {delivered ? "delivered" : "not delivered"}
          </span>{" "}
          <code>{url}</code>
          {reason === undefined ? "" : `: ${reason}`}
        </li>
      ))}
    </ul>
  );
}

/** Asks before a rule goes. */
function DeleteDialog(props: {
  readonly name: string;
  readonly onClose: () => void;
  readonly onDeleted: () => void;
}) {
  const { name, onClose, onDeleted } = props;
  const dialog = useRef<HTMLDialogElement>(null);
  const [problem, setProblem] = useState("");
  useEffect(() => dialog.current?.showModal(), []);
  const remove = async (): Promise<void> => {
    try {
      await deleteRule(name);
      onDeleted();
    } catch (thrown) {
      setProblem(shownProblem(thrown).detail);
    }
  };
  return (
    <dialog ref={dialog} aria-labelledby="delete-title" onClose={onClose}>
      <h2 id="delete-title">Delete the rule {name}?</h2>
      <p>What it fires is resolved, and its receivers are told.</p>
      {problem !== "" && (
        <p class="warning" role="alert">
          {problem}
        </p>
      )}
      <div class="actions">
        <button type="button" onClick={() => dialog.current?.close()}>
          Keep it
        </button>
        <button type="button" class="danger" onClick={() => void remove()}>
          Delete it
        </button>
      </div>
    </dialog>
  );
}
