import { type ChildProcess, spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { missing } from "../machine.ts";
import { temporaryFolder } from "../service.ts";
import { spawnServer } from "./child.ts";
import { findJava, jarsThere } from "./java.ts";
import { kafkaPom } from "./kafka-pom.ts";
import { freePorts } from "./ports.ts";

const javaMin = 17;
const startTimeoutMs = 90_000;
const stopTimeoutMs = 30_000;

/** For a test's `skip`: false, or why there can be no broker here. Throws where the machine must have one. */
export function missingKafka(): string | false {
  const java = findJava(javaMin);
  if (java === undefined) return missing("kafka", false, `there is no Java ${javaMin} or newer`);
  const isThere = jarsThere("kafka", kafkaPom) !== undefined;
  return missing("kafka", isThere, "`node test/servers/install.ts kafka` did not fetch its jars");
}

/** A real broker of one node (KRaft), on free ports of loopback; ends with the test process. */
export class KafkaBroker {
  /** `host:port` for clients; the same after a restart. */
  readonly address: string;
  /** The same for who logs in as `KafkaBroker.user`, by PLAIN or SCRAM-SHA-256. */
  readonly loginAddress: string;
  /** The same over TLS, by a certificate of its own that lies at `certificate`. */
  readonly tlsAddress: string;
  readonly certificate: string;
  static readonly user = { name: "logkeep", password: "of a test" } as const;
  readonly #folder: string;
  #child: ChildProcess | undefined;

  private constructor({ client, login, tls }: Ports, folder: string) {
    this.address = `127.0.0.1:${client}`;
    this.loginAddress = `127.0.0.1:${login}`;
    this.tlsAddress = `127.0.0.1:${tls}`;
    this.certificate = path.join(folder, "certificate.pem");
    this.#folder = folder;
  }

  /** Formats a fresh data folder and starts; resolves when it serves. */
  static async start(): Promise<KafkaBroker> {
    const folder = temporaryFolder();
    const [client, login, tls, controller] = (await freePorts(4)) as [
      number,
      number,
      number,
      number,
    ];
    const ports = { client, login, tls, controller };
    const broker = new KafkaBroker(ports, folder);
    makeCertificate(folder, broker.certificate);
    writeFileSync(path.join(folder, "server.properties"), propertiesOf(folder, ports));
    mkdirSync(path.join(folder, "data"));
    const { name, password } = KafkaBroker.user;
    const scram = `SCRAM-SHA-256=[name=${name},password=${password}]`;
    const cluster = ["-t", "bG9na2VlcC10ZXN0LWthZg", "-c", "server.properties"];
    const format = ["format", ...cluster, "--add-scram", scram];
    const [java, ...args] = broker.#command("kafka.tools.StorageTool", format);
    const ran = spawnSync(java as string, args, { cwd: folder, encoding: "utf8" });
    if (ran.status !== 0) throw new Error(`the format failed: ${ran.stdout}${ran.stderr}`);
    await broker.restart();
    return broker;
  }

  /** Starts it again on its data and ports, after `stop` or `kill`. */
  async restart(): Promise<void> {
    const [java, ...args] = this.#command("kafka.Kafka", ["server.properties"]);
    const log = path.join(this.#folder, "broker.log");
    const output = openSync(log, "w");
    const child = spawnServer(java as string, args, {
      cwd: this.#folder,
      stdio: ["ignore", output, output],
    });
    closeSync(output);
    this.#child = child;
    const deadline = Date.now() + startTimeoutMs;
    while (!readFileSync(log, "utf8").includes("Kafka Server started")) {
      if (child.exitCode !== null || child.signalCode !== null || Date.now() > deadline) {
        child.kill("SIGKILL");
        throw new Error(`the broker did not start:\n${readFileSync(log, "utf8").slice(-4000)}`);
      }
      await sleep(100);
    }
  }

  /** As an operator does. */
  stop(): Promise<void> {
    return this.#end("SIGTERM");
  }

  /** Stops it where it is: it keeps its connections and answers nothing. */
  hang(): void {
    this.#child?.kill("SIGSTOP");
  }

  kill(): Promise<void> {
    return this.#end("SIGKILL");
  }

  async #end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill(signal);
    const late = setTimeout(() => child.kill("SIGKILL"), stopTimeoutMs);
    await exited;
    clearTimeout(late);
  }

  #command(main: string, args: readonly string[]): string[] {
    const java = findJava(javaMin);
    const jars = jarsThere("kafka", kafkaPom);
    if (java === undefined || jars === undefined) throw new Error("there is no broker here");
    const heap = ["-Xmx256m", "-Xms64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];
    return [java.java, ...heap, "-cp", `${jars}/*`, main, ...args];
  }
}

const keysPassword = "of the keys";

/** A key and its certificate for 127.0.0.1, by the tool that comes with every Java. */
function makeCertificate(folder: string, certificate: string): void {
  const keytool = path.join(path.dirname(findJava(javaMin)?.java ?? ""), "keytool");
  const store = ["-keystore", "keys.p12", "-storetype", "PKCS12", "-storepass", keysPassword];
  const subject = ["-dname", "CN=127.0.0.1", "-ext", "san=ip:127.0.0.1"];
  const steps = [
    ["-genkeypair", ...store, ...subject, "-alias", "broker", "-keyalg", "EC"],
    ["-exportcert", ...store, "-alias", "broker", "-rfc", "-file", certificate],
  ];
  for (const args of steps) {
    const ran = spawnSync(keytool, args, { cwd: folder, encoding: "utf8" });
    if (ran.status !== 0) throw new Error(`keytool failed: ${ran.stdout}${ran.stderr}`);
  }
}

interface Ports {
  readonly client: number;
  readonly login: number;
  readonly tls: number;
  readonly controller: number;
}

function propertiesOf(folder: string, { client, login, tls, controller }: Ports): string {
  const clients = `PLAINTEXT://127.0.0.1:${client},LOGIN://127.0.0.1:${login},SSL://127.0.0.1:${tls}`;
  const { name, password } = KafkaBroker.user;
  const security = "org.apache.kafka.common.security";
  return Object.entries({
    "process.roles": "broker,controller",
    "node.id": 1,
    "controller.quorum.voters": `1@127.0.0.1:${controller}`,
    listeners: `${clients},CONTROLLER://127.0.0.1:${controller}`,
    "advertised.listeners": clients,
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map":
      "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,LOGIN:SASL_PLAINTEXT,SSL:SSL",
    "listener.name.ssl.ssl.keystore.type": "PKCS12",
    "listener.name.ssl.ssl.keystore.location": path.join(folder, "keys.p12"),
    "listener.name.ssl.ssl.keystore.password": keysPassword,
    "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256",
    "listener.name.login.plain.sasl.jaas.config": `${security}.plain.PlainLoginModule required user_${name}="${password}";`,
    "listener.name.login.scram-sha-256.sasl.jaas.config": `${security}.scram.ScramLoginModule required;`,
    "log.dirs": path.join(folder, "data"),
    "auto.create.topics.enable": false,
    "offsets.topic.replication.factor": 1,
    "offsets.topic.num.partitions": 2,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.min.isr": 1,
    "transaction.state.log.num.partitions": 2,
    "share.coordinator.state.topic.replication.factor": 1,
    "share.coordinator.state.topic.min.isr": 1,
    "group.initial.rebalance.delay.ms": 0,
    // After a SIGKILL the broker may register again only when its session is over.
    "broker.heartbeat.interval.ms": 300,
    "broker.session.timeout.ms": 1500,
    "num.network.threads": 2,
    "num.io.threads": 2,
    "log.segment.bytes": 16 * 1024 * 1024,
    // Retention is looked at soon, for the test that waits for it.
    "log.retention.check.interval.ms": 1000,
    "log.segment.delete.delay.ms": 0,
  })
    .map(([name, value]) => `${name}=${value}\n`)
    .join("");
}
