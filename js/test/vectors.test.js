// The vectors of spec/vectors, run by Node. Each suite is also run in a page.

import { readFileSync } from 'node:fs'
import { test } from 'node:test'

import { bases } from './vectors/bases.js'
import { core } from './vectors/core.js'
import { sessions } from './vectors/sessions.js'
import { documents } from './vectors/documents.js'
import { merkle } from './vectors/merkle.js'

const FOLDER = new URL('../../spec/vectors/', import.meta.url)

/** @param {string} name */
const read = (name) => JSON.parse(readFileSync(new URL(`${name}.json`, FOLDER), 'utf8'))

for (const suite of [core, sessions, documents, merkle, bases]) suite(test, read)
