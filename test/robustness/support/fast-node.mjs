// A node whose clock runs faster than the world's, so that what takes it minutes takes a test seconds.
// It is started with a node's flags, whose times are then its own.
import { runNode } from '../../../dist/main/node/main.js';

/** Also in lease-failover.test.ts. */
const SPEED = 60;

const clock = {
  nowMs: () => performance.now() * SPEED,
  setTimer(delayMs, callback) {
    const timer = setTimeout(callback, delayMs / SPEED);
    return () => clearTimeout(timer);
  },
};

process.exit(await runNode(process.argv.slice(2), clock));
