#!/usr/bin/env node
import { readFileSync } from "node:fs";
import { launch } from "./launching.mjs";

const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
launch(version, process.argv.slice(2));
