import { useEffect, useState } from "preact/hooks";
import { putRule } from "./alerts-api.ts";
import { type Problem, shownProblem } from "./api.ts";
import { hashOf } from "./route.ts";
import {
  type FieldProblem,
  fieldProblemOf,
  problemBefore,
  type RuleDraft,
  requestOf,
} from "./rule-draft.ts";
import { LabelInputs, TextInput, WebhookInputs } from "./rule-inputs.tsx";

/** The form of a rule, new or stored. A problem is told at the input that it is about, which gets the focus. */
export function RuleForm(props: {
  readonly initial: RuleDraft;
  /** Of the stored rule; undefined for a new one. */
  readonly version: number | undefined;
  readonly namesTaken: readonly string[];
  readonly onSaved: (name: string) => void;
  /** Begins again from what is stored. */
  readonly onReload: () => void;
}) {
  const { initial, version, namesTaken, onSaved, onReload } = props;
  const isNew = version === undefined;
  const [draft, setDraft] = useState(initial);
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<FieldProblem | undefined>(undefined);
  const [answer, setAnswer] = useState<Problem | undefined>(undefined);
  useEffect(() => {
    document.getElementById(`rule-${problem?.input ?? (isNew ? "name" : "query")}`)?.focus();
  }, [problem, isNew]);
  const set = (change: Partial<RuleDraft>): void => setDraft((was) => ({ ...was, ...change }));

  const save = async (): Promise<void> => {
    const before = problemBefore(draft, isNew ? namesTaken : []);
    setAnswer(undefined);
    setProblem(before);
    if (before !== undefined) return;
    setBusy(true);
    try {
      const request = requestOf(draft);
      await putRule(request, version);
      onSaved(request.name);
    } catch (thrown) {
      const said = shownProblem(thrown);
      setAnswer(said);
      setProblem(fieldProblemOf(said, draft, isNew));
      setBusy(false);
    }
  };
  return (
    <form
      class="rule-form"
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        if (!isBusy) void save();
      }}
    >
      {problem !== undefined && problem.input === undefined && (
        <WholeProblem text={problem.text} code={answer?.code} onReload={onReload} />
      )}
      <Watched {...{ draft, problem, set, isNew }} caret={caretOf(answer, draft)} />
      <Timing {...{ draft, problem, set }} />
      <LabelInputs labels={draft.labels} problem={problem} onChange={(labels) => set({ labels })} />
      <WebhookInputs
        webhooks={draft.webhooks}
        problem={problem}
        onChange={(webhooks) => set({ webhooks })}
      />
      <div class="actions">
        <button type="submit" class="primary" disabled={isBusy}>
          {isNew ? "Create the rule" : "Save the rule"}
        </button>
        <a class="button" href={hashOf({ view: "alerts" })}>
          Cancel
        </a>
      </div>
    </form>
  );
}

/** A problem of no input; one of a rule that was changed meanwhile offers to begin again. */
function WholeProblem(props: {
  readonly text: string;
  readonly code: string | undefined;
  readonly onReload: () => void;
}) {
  return (
    <div class="problem" role="alert">
      <p>{props.text}</p>
      {props.code === "alerts.version-mismatch" && (
        <button type="button" onClick={props.onReload}>
          Begin again from what is stored
        </button>
      )}
    </div>
  );
}

interface PartProps {
  readonly draft: RuleDraft;
  readonly problem: FieldProblem | undefined;
  readonly set: (change: Partial<RuleDraft>) => void;
}

function Watched(
  props: PartProps & { readonly isNew: boolean; readonly caret: string | undefined },
) {
  const { draft, problem, set, isNew, caret } = props;
  return (
    <>
      <TextInput
        id="name"
        label="Name"
        value={draft.name}
        problem={problem}
        hint={isNew ? undefined : "A rule keeps its name."}
        isReadOnly={!isNew}
        onText={(name) => set({ name })}
      />
      <div class="input">
        <label for="rule-type">Type</label>
        <select
          id="rule-type"
          value={draft.type}
          aria-describedby="rule-type-hint"
          onChange={(event) => set({ type: event.currentTarget.value as RuleDraft["type"] })}
        >
          <option value="match">match</option>
          <option value="threshold">threshold</option>
        </select>
        <p class="hint" id="rule-type-hint">
          {draft.type === "match"
            ? "Fires as soon as a record matches."
            : "Asks now and then, and compares the value that the query counts."}
        </p>
      </div>
      <TextInput
        id="query"
        label="Query"
        value={draft.query}
        problem={problem}
        isCode
        placeholder={
          draft.type === "match"
            ? "service:payments level:error"
            : "level:error _time:5m | stats by (service) count() n"
        }
        onText={(query) => set({ query })}
      />
      {problem?.input === "query" && caret !== undefined && <pre class="caret">{caret}</pre>}
    </>
  );
}

function Timing({ draft, problem, set }: PartProps) {
  const isMatch = draft.type === "match";
  return (
    <div class="times-inputs">
      {!isMatch && (
        <>
          <TextInput
            id="condition"
            label="Condition"
            value={draft.condition}
            problem={problem}
            isCode
            placeholder="> 5"
            onText={(condition) => set({ condition })}
          />
          <TextInput
            id="every"
            label="Every"
            value={draft.every}
            problem={problem}
            placeholder="15s"
            hint="How often it asks."
            onText={(every) => set({ every })}
          />
          <TextInput
            id="for"
            label="For"
            value={draft.for}
            problem={problem}
            placeholder="0s"
            hint="How long the condition must hold before it fires."
            onText={(wait) => set({ for: wait })}
          />
        </>
      )}
      <TextInput
        id="keepFor"
        label="Keep for"
        value={draft.keepFor}
        problem={problem}
        placeholder={isMatch ? "1m" : "0s"}
        hint={
          isMatch
            ? "Resolves after so long without a match."
            : "How long it fires on after the condition held."
        }
        onText={(keepFor) => set({ keepFor })}
      />
    </div>
  );
}

/** The line of the query with a caret under the mistake, where the service says where it is. */
function caretOf(problem: Problem | undefined, draft: RuleDraft): string | undefined {
  if (problem?.column === undefined) return undefined;
  const line = draft.query.trim().split("\n")[(problem.line ?? 1) - 1] ?? "";
  return `${line}\n${" ".repeat(problem.column - 1)}^`;
}
