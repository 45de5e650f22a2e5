// Goal: the coordinator's client and its recipes hold what they promise on Apache ZooKeeper.
import { missingZooKeeper } from "../servers/zookeeper.ts";
import { clientTests } from "./again.ts";

const three = ["apache", "apache", "apache"] as const;
clientTests("client and recipes work on three of Apache's", three, missingZooKeeper());
