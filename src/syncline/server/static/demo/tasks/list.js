// The list of tasks: rows are made once and kept up to date; only what changed is touched.

import { Text } from '../../sdk/syncline.js'
import { byId, newId, say } from '../parts/dom.js'
import { disagreements } from '../parts/conflicts.js'
import { face } from '../parts/people.js'
import { LABELS } from './details.js'
import { drag } from './drag.js'
import { between, inOrder } from './order.js'
import { Row } from './row.js'

const EMPTY = { all: 'Nothing to do yet. Add the first task above.', open: 'All done.', done: 'Nothing is done yet.' }

export class TaskList {
  /**
   * @param {any} notes
   * @param {import('../parts/undo.js').Steps} steps
   * @param {(item: string) => void} open
   */
  constructor(notes, steps, open) {
    Object.assign(this, { notes, steps, open })
    this.element = byId('tasks')
    this.filter = 'all'
    /** @type {Map<string, Row>} */
    this.rows = new Map()
    /** All rows in their order. @type {Row[]} */
    this.all = []
    notes.watch('task.*', (docs) => this._onChange(docs))
    this._onChange(notes.query('task.*'))
  }

  /** Shows all tasks, only the open ones, or only those that are done. @param {string} filter */
  show(filter) {
    this.filter = filter
    this._arrange()
  }

  add(title) {
    const last = this.all.at(-1)?.plain.order ?? ''
    const task = { title, done: false, order: between(last, null), notes: new Text('') }
    const item = `task.${newId()}`
    this.steps.do([item], () => this.notes.create(item, task))
    this.rows.get(item)?.element.scrollIntoView({ block: 'nearest' })
  }

  check = (item, isDone) => this._put(item, 'done', isDone)

  rename = (item, title) => this._put(item, 'title', title)

  drop = (item) => {
    const title = this.notes.document(item).plain?.title
    const next = this.rows.get(item)?.element.nextElementSibling?.querySelector('.drop') ?? byId('title')
    this.steps.do([item], () => this.notes.document(item).delete())
    next.focus()
    say(`“${title}” is deleted. Undo brings it back.`)
  }

  /** Moves a task among those that show. */
  move = (item, by) => {
    const rows = this._visible()
    const from = rows.findIndex((row) => row.item === item)
    const to = from + by
    if (to < 0 || to >= rows.length) return
    rows.splice(to, 0, ...rows.splice(from, 1))
    this._place(item, rows)
    say(`Place ${to + 1} of ${rows.length}.`)
  }

  drag = (event, row) => drag(event, row, () => {
    const items = [...this.element.children].map((child) => child.dataset.item)
    this._place(row.dataset.item, items.map((each) => this.rows.get(each)))
  })

  /** Gives a task the place that it has in this list. */
  _place(item, rows) {
    const index = rows.findIndex((row) => row.item === item)
    const [above, below] = [rows[index - 1], rows[index + 1]].map((row) => row?.plain.order)
    this._put(item, 'order', between(above ?? '', below ?? null))
  }

  _put(item, key, value) {
    this.steps.do([item], () => this.notes.document(item).put(key, value))
  }

  _visible() {
    return this.all.filter(({ plain }) => this.filter === 'all' || Boolean(plain.done) === (this.filter === 'done'))
  }

  _onChange(docs) {
    for (const doc of docs) {
      if (doc.exists) this._row(doc.item).show(doc.plain)
      else this.rows.delete(doc.item)
      if (doc.exists) this._mark(doc)
    }
    this.all = [...this.rows.values()].sort(inOrder)
    this._arrange()
  }

  _row(item) {
    let row = this.rows.get(item)
    if (!row) this.rows.set(item, (row = new Row(item, this)))
    return row
  }

  async _mark(doc) {
    const found = await disagreements(doc, LABELS)
    const row = this.rows.get(doc.item)
    if (row) row.conflict.hidden = !found.length
  }

  /** Shows who looks at which task. @param {any[]} peers */
  showPeers(peers) {
    for (const [item, row] of this.rows) {
      const names = peers.filter((peer) => peer.item === item).map(({ state }) => state.name.slice(0, 40))
      row.showFaces([...new Set(names)].slice(0, 3).map((name) => face(name)))
    }
  }

  /** Puts the rows into their order; the focus stays where it is. */
  _arrange() {
    const focused = document.activeElement
    const wanted = this._visible().map(({ element }) => element)
    const isWanted = new Set(wanted)
    for (const child of [...this.element.children]) if (!isWanted.has(child)) child.remove()
    let at = this.element.firstElementChild
    for (const element of wanted) {
      if (at && at !== element && at.nextElementSibling === element) at = without(at) // moved down: only it has another place
      if (element === at) at = at.nextElementSibling
      else this.element.insertBefore(element, at)
    }
    if (focused !== document.activeElement && this.element.contains(focused)) focused.focus()
    this._count(wanted.length)
  }

  _count(visible) {
    const { all } = this
    const open = all.filter(({ plain }) => !plain.done).length
    byId('count').textContent = all.length ? `${open} of ${all.length} to do` : ''
    const empty = byId('empty')
    empty.hidden = visible > 0
    empty.textContent = EMPTY[all.length ? this.filter : 'all']
  }
}

/** Takes an element out; returns the one after it. @param {Element} element */
function without(element) {
  const next = element.nextElementSibling
  element.remove()
  return next
}
