import { invalidRule } from "../../../alerts/src/check-rule.ts";
import type { Receiver, Rule } from "../../../alerts/src/rule.ts";
import { secretMask } from "../../../api/src/alerts.ts";

/** A rule as it may be shown: the mask stands for each secret. */
export function masked(rule: Rule): Rule {
  return { ...rule, notify: rule.notify.map((receiver) => withSecret(receiver, secretMask)) };
}

/**
 * A rule as it was sent, the secret that is kept in place of each mask: that of the receiver of the same URL, or at the same
 * place. Throws `alerts.invalid-rule` where there is none to keep.
 */
export function unmasked(rule: Rule, stored: Rule | undefined): Rule {
  const notify = rule.notify.map((receiver, i) => {
    if (receiver.webhook.secret !== secretMask) return receiver;
    const { url } = receiver.webhook;
    const same = stored?.notify.find((each) => each.webhook.url === url) ?? stored?.notify[i];
    const secret = same?.webhook.secret;
    if (secret !== undefined) return withSecret(receiver, secret);
    const field = `notify.${i}.webhook.secret`;
    throw invalidRule(rule.name, field, "is masked, and there is none that could be kept");
  });
  return { ...rule, notify };
}

function withSecret(receiver: Receiver, secret: string): Receiver {
  const { webhook } = receiver;
  return webhook.secret === undefined ? receiver : { webhook: { ...webhook, secret } };
}
