import assert from 'node:assert/strict'
import { test } from 'node:test'

import { parse, strings, words } from '../../src/core/words.js'

/** @type {[string, string[]][]} */
const WORDS = [
  ['', []],
  ['Fresh milk, 2 l!', ['fresh', 'milk', '2', 'l']],
  ['Crème BRÛLÉE', ['creme', 'brulee']],
  ['Straße İstanbul', ['strasse', 'istanbul']],
  ['ΟΔΟΣ ẞ', ['οδοσ', 'ss']],
  ['snake_case e-mail', ['snake', 'case', 'e', 'mail']],
  ['牛乳を買う', ['牛', '乳', 'を', '買', 'う']],
  ['ﬁne ①', ['fine', '1']],
  ['हिन्दी', ['हनद']],
  ['\ue000 — …', []],
]

for (const [text, found] of WORDS) test(`words of ${text}`, () => assert.deepEqual(words(text), found))

test('the strings of a value are found without its keys', () => {
  assert.deepEqual(strings({ a: ['x', 1, { b: 'y' }], c: null, d: 'z' }), ['x', 'y', 'z'])
})

// A search, texts for which it holds, and texts for which it does not.
/** @type {[string, string[], string[]][]} */
const SEARCHES = [
  ['Milk', ['milk', 'some MILK'], ['milky', '']],
  ['milk bread', ['bread milk'], ['milk', 'bread']],
  ['milk AND bread', ['bread milk'], ['milk']],
  ['milk OR bread tea', ['milk', 'bread tea'], ['bread', 'tea']],
  ['(milk OR bread) tea', ['milk tea', 'bread tea'], ['milk', 'tea']],
  ['-milk', ['tea', ''], ['milk']],
  ['NOT milk bread', ['bread'], ['milk bread', 'tea']],
  ['- (milk bread)', ['milk', 'bread'], ['milk bread']],
  ['NOT NOT milk', ['milk'], ['tea']],
  ['"Fresh milk"', ['very fresh milk'], ['milk fresh', 'fresh', 'fresh, not milk']],
  ['-"fresh milk"', ['milk fresh'], ['fresh milk']],
  ['"fresh mi"*', ['fresh milk'], ['milk fresh']],
  ['"fresh milk', ['fresh milk'], ['fresh']],
  ['mil*', ['milk'], ['amil']],
  ['e-mail', ['e mail'], ['email']],
  ['牛乳', ['牛乳'], ['乳牛']],
  ['milk ) bread', ['milk bread'], ['milk']],
  ['((milk', ['milk'], ['tea']],
  ['OR milk OR', ['milk'], ['tea']],
  ['or', ['either or'], ['either']],
]

for (const [text, held, not] of SEARCHES) {
  test(`search ${text}`, () => {
    const search = /** @type {import('../../src/core/words.js').Search} */ (parse(text))
    for (const each of held) assert.ok(search([words('other things'), words(each)]), each)
    for (const each of not) assert.ok(!search([words('other things'), words(each)]), each)
  })
}

test('what is in two strings is no phrase', () => {
  assert.ok(!parse('"milk bread"')?.([['milk'], ['bread']]))
  assert.ok(parse('milk bread')?.([['milk'], ['bread']]))
})

test('a search has an end, and may ask for nothing', () => {
  for (const text of ['', ' ?! () OR AND NOT -', '('.repeat(64)]) assert.equal(parse(text), null)
  assert.throws(() => parse('('.repeat(65)), { code: 'bad_request' })
})
