// Tells the option with which tests run on all processors, where this Node knows it.

import { availableParallelism } from 'node:os'

const [major, minor] = process.versions.node.split('.').map(Number)
if (major > 20 || minor >= 10) console.log(`--test-concurrency=${availableParallelism()}`)
