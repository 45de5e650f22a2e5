import { render } from "preact";
import { App } from "./app.tsx";
import "./style.css";
import "./alerts.css";
import "./cluster.css";

const place = document.getElementById("app");
if (place !== null) render(<App />, place);
