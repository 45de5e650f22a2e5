import assert from "node:assert/strict";
import { test } from "node:test";
import { settingsSchema } from "../../config/src/schema.ts";
import { listenFailure } from "../src/listen-failure.ts";

const ensemble = [1, 2, 3].map((id) => `${id}=10.0.0.${id}:2888:3888`);
const settings = settingsSchema.parse({ node: { id: 2 }, coordinator: { ensemble } });

const said: readonly (readonly [string, string | undefined])[] = [
  [
    "listen EADDRINUSE: address already in use 127.0.0.1:7070",
    "cannot listen on 127.0.0.1:7070: another process listens there; --http HOST:PORT chooses another address",
  ],
  [
    "the coordinator: listen EADDRNOTAVAIL: address not available 10.9.9.9:2181",
    "cannot listen on 10.9.9.9:2181: this machine has no such address; --coordinator HOST:PORT chooses another address",
  ],
  [
    "listen EADDRINUSE: address already in use :::7071",
    "cannot listen on :::7071: another process listens there; --peer HOST:PORT chooses another address",
  ],
  [
    "the coordinator: listen EADDRINUSE: address already in use 10.0.0.2:3888",
    "cannot listen on 10.0.0.2:3888, which --ensemble gives to node 2: another process listens there; is --node-id 2 right, and does that node not run already?",
  ],
  [
    "the coordinator: listen EADDRNOTAVAIL: address not available 10.0.0.2:2888",
    "cannot listen on 10.0.0.2:2888, which --ensemble gives to node 2: this machine has no such address; is --node-id 2 right, and does that node not run already?",
  ],
  ["the disk failed", undefined],
];

for (const [message, text] of said) {
  test(`of "${message}" a start says which flag to look at`, () => {
    assert.equal(listenFailure(message, settings), text);
  });
}
