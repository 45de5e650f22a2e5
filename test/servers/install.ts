// Fetches what the tests' real servers are made of, ahead of the tests: `node test/servers/install.ts kafka elasticsearch zookeeper`.
// A server's module registers its jars in `jarSets`.

import { elasticsearchPom } from "./elasticsearch-pom.ts";
import { mavenJars } from "./java.ts";
import { kafkaPom } from "./kafka-pom.ts";
import { zookeeperPom } from "./zookeeper-pom.ts";

/** By the server's name: what Maven is to fetch. */
const jarSets: Readonly<Record<string, string>> = {
  elasticsearch: elasticsearchPom,
  kafka: kafkaPom,
  zookeeper: zookeeperPom,
};

for (const name of process.argv.slice(2)) {
  const pom = jarSets[name];
  if (pom === undefined) {
    console.error(`no server is called ${name}; there are: ${Object.keys(jarSets).join(", ")}`);
    process.exitCode = 1;
    continue;
  }
  const started = performance.now();
  const folder = await mavenJars(name, pom);
  console.log(`${name}: ${folder} (${((performance.now() - started) / 1000).toFixed(1)} s)`);
}
