// Stories of a peer, step by step, in core-peer.txt. REWRITE=1 writes what happens behind the ----; review the diff.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import test from "node:test";

import type { Message } from "../src/core/messages.ts";
import { type Effects, type EpochFile, type Input, Peer } from "../src/core/peer.ts";
import type { PeerState } from "../src/core/vote.ts";
import { zxidText } from "../src/core/zxid.ts";

const file = new URL("core-peer.txt", import.meta.url);
const stories = readFileSync(file, "utf8").split(/\n(?=#)/);
const isRewrite = process.env["REWRITE"] === "1";

let peer: Peer<string> | undefined;
const rewritten = stories.map((story) => {
  const [told = "", expected = ""] = story.split("\n----\n");
  const lines = told.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  const actual = lines.map(storyLine).filter((line) => line !== "");
  if (!isRewrite) {
    test(told.split("\n")[0]?.slice(2) ?? "", () => {
      assert.deepEqual(actual, expected.trim().split("\n"));
    });
  }
  return `${told}\n----\n${actual.join("\n")}\n`;
});
if (isRewrite) writeFileSync(file, rewritten.join("\n"));

function storyLine(line: string): string {
  const [verb = "", ...words] = line.split(" ");
  if (verb === "peer") {
    const fields = fieldsOf(words.slice(3));
    peer = new Peer<string>(Number(words[0]), words[2]?.split(",").map(Number) ?? [], {
      acceptedEpoch: fields("accepted"),
      currentEpoch: fields("current"),
      zxidLast: fields("zxid"),
    });
    return "";
  }
  assert(peer !== undefined);
  if (verb === "ticks") {
    const steps = Array.from({ length: Number(words[0]) }, () => effectsText(tick(peer)));
    return `${line}: ${[...new Set(steps)].filter((text) => text !== "").join(", ") || "nothing"}`;
  }
  const effects = effectsText(peer.step(inputOf(verb, words)));
  return `${line}: ${effects === "" ? "nothing" : effects}`;
}

function tick(of: Peer<string> | undefined): Effects<string> {
  assert(of !== undefined);
  return of.step({ kind: "tick" });
}

function inputOf(verb: string, words: readonly string[]): Input<string> {
  const fields = fieldsOf(words);
  switch (verb) {
    case "start":
      return { kind: "start" };
    case "tick":
      return { kind: "tick" };
    case "propose":
      return { kind: "propose", bodies: words };
    case "snapshot":
      return { kind: "snapshotTaken", zxid: Number(words[0]) };
    case "written":
      return { kind: "written", zxid: Number(words[0]) };
    case "epoch":
      return { kind: "epochWritten", file: words[0] as EpochFile, epoch: Number(words[1]) };
    case "truncated":
    case "installed":
      return { kind: verb, zxid: Number(words[0]) };
    case "sync":
      return { kind: "sync", tag: Number(words[0]) };
    case "resign":
      return { kind: "resign", next: words[0] === "stop" ? "stop" : "look" };
    case "up":
      return { kind: "linkUp", link: Number(words[0]), opened: words[1] === "opened" };
    case "down":
      return { kind: "linkDown", link: Number(words[0]) };
    case "message": {
      const message = messageOf(words[1] ?? "", words.slice(2));
      return { kind: "message", link: Number(words[0]), message };
    }
    case "hear": {
      const vote = { leader: fields("leader"), epoch: fields("epoch"), zxid: fields("zxid") };
      const state = (words.find((word) => word.startsWith("state="))?.slice(6) ??
        "looking") as PeerState;
      const notification = { round: fields("round"), vote, state };
      return { kind: "notification", from: Number(words[0]), notification };
    }
  }
  throw new Error(`unknown verb ${verb}`);
}

function fieldsOf(words: readonly string[]): (name: string) => number {
  const values = new Map(words.map((word) => word.split("=") as [string, string]));
  return (name) => Number(values.get(name));
}

function effectsText(effects: Effects<string>): string {
  const { notify, send, append, commit, epochWrite, connect, close, events, role } = effects;
  const { truncate, install, load } = effects;
  const parts = notify.map(({ to, notification: { round, vote, state } }) => {
    const who = `round=${round} leader=${vote.leader}`;
    return `notify ${to} ${who}${state === "looking" ? "" : ` epoch=${vote.epoch} ${state}`}`;
  });
  if (connect !== undefined) parts.push(`connect ${connect}`);
  for (const { to, message } of send) parts.push(`send ${to} ${messageText(message)}`);
  for (const link of close) parts.push(`close ${link}`);
  for (const event of events) parts.push(event.kind);
  if (truncate !== undefined) parts.push(`truncate ${zxidText(truncate)}`);
  if (install !== undefined) parts.push(`install ${zxidText(install)}`);
  for (const { zxid } of load) parts.push(`load ${zxidText(zxid)}`);
  if (epochWrite !== undefined) parts.push(`write ${epochWrite.file} ${epochWrite.epoch}`);
  for (const { zxid, body } of append) parts.push(`append ${zxidText(zxid)} ${body}`);
  for (const { zxid, body } of commit) parts.push(`commit ${zxidText(zxid)} ${body}`);
  if (role !== undefined) parts.push(role.kind === "leading" ? `lead ${role.epoch}` : role.kind);
  return parts.join(", ");
}

/** Without the ensemble, which never changes here: core-reconfig.test.ts is about it. */
function messageText({ kind, ...fields }: Message<string, never>): string {
  const told = Object.entries(fields).filter(([name]) => !name.startsWith("ensemble"));
  const words = told.map(([name, value]) => {
    if (name.startsWith("zxid")) return `${name}=${zxidText(Number(value))}`;
    return `${name}=${JSON.stringify(value)}`;
  });
  return [kind, ...words].join(" ");
}

/** As `message 7 ackEpoch currentEpoch=1 zxidLast=0x100000001`. */
function messageOf(kind: string, words: readonly string[]): Message<string, never> {
  const fields = words.map((word) => {
    const [name = "", value = ""] = word.split("=");
    return [name, value.startsWith("0x") ? Number(value) : JSON.parse(value)];
  });
  return { kind, ...Object.fromEntries(fields) } as Message<string, never>;
}
