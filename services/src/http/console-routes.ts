import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import express, { type NextFunction, type Request, type Response } from "express";
import type { App } from "./app.ts";

/** Only what the service itself sends is run or shown: no other site's script, frame or image. */
const contentPolicy = [
  "default-src 'self'",
  "img-src 'self' data:",
  "style-src 'self' 'unsafe-inline'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
].join("; ");

/** `/ui/` and, for browsers, `/`: the console, built by Vite into one folder of static files. */
export function mountConsole(app: App): void {
  const folder = consoleFolder();
  const page = folder === undefined ? missingPage : readFileSync(path.join(folder, "index.html"));
  const sendPage = (response: Response): void => {
    response.setHeader("Content-Type", "text/html; charset=utf-8");
    response.setHeader("Content-Security-Policy", contentPolicy);
    response.setHeader("Cache-Control", "no-cache");
    response.end(page);
  };
  app.express.get("/", (request: Request, response: Response, next: NextFunction) => {
    if (request.accepts(["json", "html"]) === "html") sendPage(response);
    else next();
  });
  app.express.get(["/ui", "/ui/"], (_: Request, response: Response) => sendPage(response));
  if (folder === undefined) return;
  app.express.use(
    "/ui/assets",
    express.static(path.join(folder, "assets"), {
      index: false,
      redirect: false,
      immutable: true,
      maxAge: "1y",
    }),
  );
}

const missingPage = Buffer.from(
  "<!doctype html><title>Logkeep</title><p>The console is not built: run npm install once.</p>",
);

/** In a checkout the sources lie beside `dist`; in the package everything lies in it. */
function consoleFolder(): string | undefined {
  const candidates = ["../../../dist/console", "../../../console"];
  return candidates
    .map((candidate) => path.resolve(import.meta.dirname, candidate))
    .find(
      (candidate) =>
        existsSync(path.join(candidate, "index.html")) &&
        existsSync(path.join(candidate, "assets")),
    );
}
