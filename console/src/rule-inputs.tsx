import type { FieldProblem, RuleDraft } from "./rule-draft.ts";

/** As many receivers as a rule may have. */
const webhooksMax = 8;
/** As many labels as a rule may have. */
const labelsMax = 32;

/** A labelled text of the rule's form; its element's id is `rule-` and its own. */
export function TextInput(props: {
  readonly id: string;
  readonly label: string;
  readonly value: string;
  readonly problem: FieldProblem | undefined;
  readonly onText: (text: string) => void;
  readonly isSecret?: boolean;
  readonly hint?: string | undefined;
  readonly placeholder?: string;
  readonly isCode?: boolean;
  readonly isReadOnly?: boolean;
}) {
  const { id, label, value, problem, onText, hint, placeholder } = props;
  const told = problem?.input === id ? problem.text : undefined;
  const describedBy = [
    ...(told === undefined ? [] : [`rule-${id}-problem`]),
    ...(hint === undefined ? [] : [`rule-${id}-hint`]),
  ].join(" ");
  const attributes = {
    id: `rule-${id}`,
    class: props.isCode === true ? "code" : "",
    spellcheck: false,
    autocapitalize: "off",
    value,
    placeholder,
    "aria-invalid": told !== undefined,
    ...(describedBy === "" ? {} : { "aria-describedby": describedBy }),
    onInput: (event: { readonly currentTarget: HTMLInputElement }) =>
      onText(event.currentTarget.value),
  } as const;
  return (
    <div class="input">
      <label for={`rule-${id}`}>{label}</label>
      {props.isSecret === true ? (
        <input type="password" autocomplete="new-password" {...attributes} />
      ) : (
        <input
          type="text"
          autocomplete="off"
          readOnly={props.isReadOnly === true}
          {...attributes}
        />
      )}
      {told !== undefined && (
        <p class="warning" id={`rule-${id}-problem`}>
          {told}
        </p>
      )}
      {hint !== undefined && (
        <p class="hint" id={`rule-${id}-hint`}>
          {hint}
        </p>
      )}
    </div>
  );
}

export function LabelInputs(props: {
  readonly labels: RuleDraft["labels"];
  readonly problem: FieldProblem | undefined;
  readonly onChange: (labels: RuleDraft["labels"]) => void;
}) {
  const { labels, problem, onChange } = props;
  return (
    <fieldset>
      <legend>Labels</legend>
      {labels.map((label, at) => (
        <div class="group" key={at}>
          <TextInput
            id={`label-name-${at}`}
            label="Label"
            value={label.name}
            problem={problem}
            onText={(name) => onChange(labels.with(at, { ...label, name }))}
          />
          <TextInput
            id={`label-value-${at}`}
            label="Value"
            value={label.value}
            problem={problem}
            onText={(value) => onChange(labels.with(at, { ...label, value }))}
          />
          <button
            type="button"
            aria-label={`remove label ${at + 1}`}
            onClick={() => onChange(labels.toSpliced(at, 1))}
          >
            −
          </button>
        </div>
      ))}
      {labels.length < labelsMax && (
        <button type="button" onClick={() => onChange([...labels, { name: "", value: "" }])}>
          Add a label
        </button>
      )}
    </fieldset>
  );
}

export function WebhookInputs(props: {
  readonly webhooks: RuleDraft["webhooks"];
  readonly problem: FieldProblem | undefined;
  readonly onChange: (webhooks: RuleDraft["webhooks"]) => void;
}) {
  const { webhooks, problem, onChange } = props;
  return (
    <fieldset>
      <legend>Webhooks</legend>
      {webhooks.map((webhook, at) => (
        <div class="group" key={at}>
          <TextInput
            id={`webhook-url-${at}`}
            label="URL"
            value={webhook.url}
            problem={problem}
            isCode
            placeholder="https://hooks.example.com/logkeep"
            onText={(url) => onChange(webhooks.with(at, { ...webhook, url }))}
          />
          <TextInput
            id={`webhook-secret-${at}`}
            label="Secret"
            isSecret
            value={webhook.secret}
            problem={problem}
            hint="Signs what is sent; never shown again."
            onText={(secret) => onChange(webhooks.with(at, { ...webhook, secret }))}
          />
          <button
            type="button"
            aria-label={`remove webhook ${at + 1}`}
            onClick={() => onChange(webhooks.toSpliced(at, 1))}
          >
            −
          </button>
        </div>
      ))}
      {webhooks.length < webhooksMax && (
        <button type="button" onClick={() => onChange([...webhooks, { url: "", secret: "" }])}>
          Add a webhook
        </button>
      )}
    </fieldset>
  );
}
