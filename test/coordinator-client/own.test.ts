// Goal: the coordinator's client and its recipes hold what they promise on an ensemble of ours.
import { clientTests } from "./again.ts";

clientTests("client and recipes work on three of ours", ["logkeep", "logkeep", "logkeep"]);
