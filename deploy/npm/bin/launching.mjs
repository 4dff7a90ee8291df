// Finds what can run the Python package and becomes it, as far as a process can: same stdin, stdout and stderr, signals
// passed on, same end. Nothing is written to stdout, which belongs to the MCP client.
import { spawn, spawnSync } from "node:child_process";
import { accessSync, constants, statSync } from "node:fs";
import { constants as system } from "node:os";
import path from "node:path";

const PYTHON = ">=3.11,<3.15"; // what the package's dependencies have wheels for
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"];
const MISSING = 127; // as a shell says "command not found"
const NOT_STARTED = 126;
const INSTALLED = [
  "import sys",
  "from importlib.metadata import version",
  "sys.exit(sys.version_info < (3, 11) or version('eks-aiops') != sys.argv[1])",
].join("\n");

/** The full path of a program, or "". Only absolute folders of PATH; on Windows only what starts without a shell. */
export function find(program, env = process.env, platform = process.platform) {
  const windows = platform === "win32";
  const name = windows ? `${program}.exe` : program;
  const searched = (env.PATH ?? env.Path ?? "").split(windows ? ";" : ":");
  for (const folder of searched.filter((one) => path.isAbsolute(one))) {
    const candidate = path.join(folder, name);
    if (runs(candidate, windows)) return candidate;
  }
  return "";
}

function runs(candidate, windows) {
  try {
    if (!windows) accessSync(candidate, constants.X_OK);
    return statSync(candidate).isFile();
  } catch {
    return false;
  }
}

/** Which program to run with which arguments, or null when there is none. */
export function choose(version, args, env = process.env, platform = process.platform) {
  const source = env.EKS_AIOPS_FROM || `eks-aiops==${version}`;
  const tool = ["--quiet", `--python=${PYTHON}`, `--from=${source}`, "eks-aiops", ...args];
  for (const [program, before] of [["uvx", tool], ["uv", ["tool", "run", ...tool]]]) {
    const found = find(program, env, platform);
    if (found) return [found, before];
  }
  const pipx = find("pipx", env, platform);
  if (pipx) return [pipx, ["run", `--spec=${source}`, "eks-aiops", ...args]];
  return env.EKS_AIOPS_FROM ? null : installed(version, args, env, platform);
}

/** A Python that has this very version; -P keeps the folder it is started in off its path. */
function installed(version, args, env, platform) {
  for (const name of ["python3", "python"]) {
    const python = find(name, env, platform);
    if (!python) continue;
    const asked = spawnSync(python, ["-P", "-c", INSTALLED, version], { env, stdio: "ignore", timeout: 20_000 });
    if (asked.status === 0) return [python, ["-P", "-m", "eks_aiops", ...args]];
  }
  return null;
}

export function missing(version, env = process.env) {
  const last = env.EKS_AIOPS_FROM ? "" : ` or a Python 3.11+ with eks-aiops ${version} installed`;
  return (
    `eks-aiops: nothing on PATH can run it: no uvx, uv, pipx${last};` +
    " get uv from https://docs.astral.sh/uv/getting-started/installation/"
  );
}

function fail(code, line) {
  process.stderr.write(`${line}\n`);
  process.exitCode = code;
}

/** Run it. This process ends as the child ends. */
export function launch(version, args) {
  const chosen = choose(version, args);
  if (chosen === null) return fail(MISSING, missing(version));
  const [program, given] = chosen;
  // A terminal sends Ctrl-C to the child as well: a second one would be taken for impatience. Listened to before
  // the child starts: a signal right after its first word would end this process alone.
  const passed = process.stdin.isTTY ? SIGNALS.filter((one) => one !== "SIGINT") : SIGNALS;
  let child;
  for (const signal of SIGNALS) process.on(signal, () => passed.includes(signal) && child?.kill(signal));
  child = spawn(program, given, { stdio: "inherit", windowsHide: true });
  child.on("error", (error) => fail(NOT_STARTED, `eks-aiops: cannot start ${program}: ${error.code ?? error.message}`));
  child.on("exit", (code, signal) => {
    process.exitCode = signal === null ? code : 128 + (system.signals[signal] ?? 0);
    for (const one of SIGNALS) process.removeAllListeners(one);
    if (signal !== null && process.platform !== "win32") process.kill(process.pid, signal);
  });
}
