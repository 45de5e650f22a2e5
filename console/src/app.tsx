import { useEffect, useRef, useState } from "preact/hooks";
import { AlertsView } from "./alerts-view.tsx";
import { ClusterView } from "./cluster-view.tsx";
import { hashOf, type Route } from "./route.ts";
import { RuleView } from "./rule-view.tsx";
import { SearchBar } from "./search-bar.tsx";
import { SearchView } from "./search-view.tsx";
import { ThemeButton } from "./theme.tsx";
import { useAlerts } from "./use-alerts.ts";
import { useConsole } from "./use-console.ts";
import { useKeys } from "./use-keys.ts";
import { go, useRoute } from "./use-route.ts";

export function App() {
  const route = useRoute();
  const isSearch = route.view === "search";
  const view = useConsole(isSearch);
  const [alerts, refresh] = useAlerts(!isSearch);
  const { text, setText, choice, isTailing, ask, toggleCurrent, move } = view;
  const [showFields, setShowFields] = useState(false);
  const [showHelp, setShowHelp] = useState(false);
  const [notice, setNotice] = useState("");
  useEffect(() => {
    if (route.view !== "alerts") setNotice("");
  }, [route.view]);
  const input = useRef<HTMLInputElement>(null);
  const askAgain = (): void => {
    if (isSearch) ask(text, choice, isTailing);
    refresh();
  };
  const onChanged = (said: string): void => {
    setNotice(said);
    refresh();
    go({ view: "alerts" });
  };
  const flipTail = (): void => ask(text, choice, !isTailing);
  const inSearch = (act: () => void) => (): void => (isSearch ? act() : undefined);
  useKeys({
    search: () => (isSearch ? input.current?.focus() : go({ view: "search" })),
    move: (by) => (isSearch ? move(by) : undefined),
    toggle: inSearch(toggleCurrent),
    tail: inSearch(flipTail),
    fields: inSearch(() => setShowFields((was) => !was)),
    alerts: () => go({ view: "alerts" }),
    cluster: () => go({ view: "cluster" }),
    help: () => setShowHelp((was) => !was),
  });
  const firing = alerts.alerts?.filter(({ status }) => status === "firing").length ?? 0;
  return (
    <div class="console">
      <header>
        <h1>
          <span class="mark" aria-hidden="true" />
          <span class="word">Logkeep</span>
        </h1>
        <Tabs view={route.view} firing={firing} />
        {isSearch ? (
          <search class="bar">
            <SearchBar
              {...{ text, input, choice, isTailing }}
              onText={setText}
              onSearch={() => ask(text, choice, isTailing)}
              onChoice={(chosen) => ask(text, chosen, false)}
              onTail={flipTail}
            />
          </search>
        ) : (
          <div class="space" />
        )}
        <Tools {...{ isSearch, showFields, setShowFields, showHelp, setShowHelp }} />
      </header>
      {showHelp && <Help />}
      {route.view === "search" && <SearchView {...{ view, showFields }} onKey={askAgain} />}
      {route.view === "alerts" && (
        <AlertsView {...{ notice, onChanged }} state={alerts} onKey={askAgain} />
      )}
      {route.view === "cluster" && <ClusterView onKey={askAgain} />}
      {(route.view === "rule-new" || route.view === "rule-edit") && (
        <RuleView key={hashOf(route)} {...{ route, onChanged }} rules={alerts.rules ?? []} />
      )}
    </div>
  );
}

function Tabs({ view, firing }: { readonly view: Route["view"]; readonly firing: number }) {
  const current = (isHere: boolean) => (isHere ? ({ "aria-current": "page" } as const) : {});
  return (
    <nav aria-label="views">
      <a href={hashOf({ view: "search" })} {...current(view === "search")}>
        Search
      </a>
      <a href={hashOf({ view: "alerts" })} {...current(view !== "search" && view !== "cluster")}>
        Alerts
        {firing > 0 && (
          <span class="firing" title={`${firing} firing`}>
            {firing}
            <span class="hidden"> firing</span>
          </span>
        )}
      </a>
      <a href={hashOf({ view: "cluster" })} {...current(view === "cluster")}>
        Cluster
      </a>
    </nav>
  );
}

function Tools(props: {
  readonly showFields: boolean;
  readonly setShowFields: (show: boolean) => void;
  readonly showHelp: boolean;
  readonly setShowHelp: (show: boolean) => void;
  readonly isSearch: boolean;
}) {
  const { isSearch, showFields, setShowFields, showHelp, setShowHelp } = props;
  return (
    <>
      {isSearch && (
        <button
          type="button"
          class="only-narrow"
          aria-expanded={showFields}
          onClick={() => setShowFields(!showFields)}
        >
          Fields
        </button>
      )}
      <button
        type="button"
        aria-label="keyboard"
        title="keyboard (?)"
        onClick={() => setShowHelp(!showHelp)}
      >
        ?
      </button>
      <ThemeButton />
    </>
  );
}

function Help() {
  const keys = [
    ["/", "the query"],
    ["j, k", "next, previous record"],
    ["o", "open or close it"],
    ["t", "live tail"],
    ["f", "fields"],
    ["a", "alerts"],
    ["c", "cluster"],
    ["?", "this help"],
  ];
  return (
    <dl class="help">
      {keys.map(([key, what]) => (
        <div key={key}>
          <dt>
            <kbd>{key}</kbd>
          </dt>
          <dd>{what}</dd>
        </div>
      ))}
    </dl>
  );
}
