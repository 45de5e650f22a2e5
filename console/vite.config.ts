import preact from "@preact/preset-vite";
import { defineConfig } from "vite";

// `npm run build -w console`; for work on it, `npx vite console` beside a running `npm start`.
export default defineConfig({
  base: "/ui/",
  plugins: [preact()],
  build: {
    outDir: "../dist/console",
    emptyOutDir: true,
    target: "es2022",
    reportCompressedSize: false,
  },
  server: { proxy: { "/api": "http://127.0.0.1:7070" } },
});
