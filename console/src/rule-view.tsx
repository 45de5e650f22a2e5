import { useEffect, useState } from "preact/hooks";
import type { RuleListed } from "../../api/src/alerts.ts";
import { rule as askRule } from "./alerts-api.ts";
import { type Problem, shownProblem } from "./api.ts";
import { ProblemBox } from "./problem-box.tsx";
import type { Route } from "./route.ts";
import { draftFor, draftOf } from "./rule-draft.ts";
import { RuleForm } from "./rule-form.tsx";

/** The page of a rule's form. A stored one is asked for first, so that what is edited is what there is. */
export function RuleView(props: {
  readonly route: Extract<Route, { view: "rule-new" | "rule-edit" }>;
  readonly rules: readonly RuleListed[];
  readonly onChanged: (notice: string) => void;
}) {
  const { route, rules, onChanged } = props;
  const name = route.view === "rule-edit" ? route.name : undefined;
  const [stored, setStored] = useState<RuleListed | undefined>(undefined);
  const [problem, setProblem] = useState<Problem | undefined>(undefined);
  const [asks, setAsks] = useState(0);
  useEffect(() => {
    if (name === undefined) return;
    const abort = new AbortController();
    setStored(undefined);
    setProblem(undefined);
    askRule(name, abort.signal).then(setStored, (thrown: unknown) => {
      if (!abort.signal.aborted) setProblem(shownProblem(thrown));
    });
    return () => abort.abort();
  }, [name, asks]);
  const again = (): void => setAsks(asks + 1);
  const form = {
    namesTaken: rules.map(({ rule }) => rule.name),
    onSaved: (saved: string) => onChanged(`The rule ${saved} is saved.`),
    onReload: again,
  };
  return (
    <main class="alerts">
      <h2 class="page-title">{name === undefined ? "New rule" : `Rule ${name}`}</h2>
      {problem !== undefined && <ProblemBox problem={problem} query="" onKey={again} />}
      {route.view === "rule-new" && (
        <RuleForm {...form} initial={draftFor(route.query)} version={undefined} />
      )}
      {stored !== undefined && (
        <RuleForm {...form} initial={draftOf(stored.rule)} version={stored.version} />
      )}
    </main>
  );
}
