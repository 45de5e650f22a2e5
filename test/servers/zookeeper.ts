import { missing } from "../machine.ts";
import { findJava, jarsThere } from "./java.ts";
import { zookeeperPom } from "./zookeeper-pom.ts";

const javaMin = 11;

/** For a test's `skip`: false, or why there can be no Apache ZooKeeper here. Throws where the machine must have one. */
export function missingZooKeeper(): string | false {
  const java = findJava(javaMin);
  if (java === undefined)
    return missing("zookeeper", false, `there is no Java ${javaMin} or newer`);
  const isThere = jarsThere("zookeeper", zookeeperPom) !== undefined;
  return missing("zookeeper", isThere, "`node test/servers/install.ts zookeeper` did not run");
}

/** Small and quick to start: three of them share a machine with everything else. */
const heapSmall = ["-Xmx256m", "-Xms32m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];

/**
 * The command that runs one real server in the foreground, from this `zoo.cfg`; it logs to its standard error. Throws
 * where `missingZooKeeper` says why.
 */
export function zookeeperCommand(zooCfg: string, heap: readonly string[] = heapSmall): string[] {
  const java = findJava(javaMin);
  const jars = jarsThere("zookeeper", zookeeperPom);
  if (java === undefined || jars === undefined) throw new Error("there is no ZooKeeper here");
  const logging = Object.entries({
    defaultLogLevel: "warn",
    "log.org.apache.zookeeper.server.quorum": "info",
    showDateTime: "true",
    dateTimeFormat: "HH:mm:ss.SSS",
    showShortLogName: "true",
  }).map(([name, value]) => `-Dorg.slf4j.simpleLogger.${name}=${value}`);
  const main = "org.apache.zookeeper.server.quorum.QuorumPeerMain";
  return [java.java, ...heap, ...logging, "-cp", `${jars}/*`, main, zooCfg];
}
