// An app in TypeScript, in strict mode: what it may write, and what its compiler tells it. It is compiled, never run.

import { Counter, Edit, LiveDocument, ORSet, SynclineError, Text, open, signedIn } from 'syncline'
import type { Conflicts, Peer, Refused, Revision, Settings, SignIn, Status, SyncResult } from 'syncline'
import { useDocument, usePresence, useQuery, useStatus, useUndo } from 'syncline/react'
import { ServerSession } from 'syncline/peer'
import { ChannelTransport, MemoryTransport, ReplicaPeer, serve, syncWith } from 'syncline/peers'

type Same<A, B> = (<X>() => X extends A ? 1 : 2) extends <X>() => X extends B ? 1 : 2 ? true : false
const is = <T extends true>(): T | void => {}

interface Task {
  title: string
  done: boolean
  tags: string[]
  votes: number
  due?: string
}

// Opening and signing in

const settings: Settings = { server: '/', space: 'home', items: ['task.*'] }
const me: SignIn = await signedIn({ server: '/', user: 'ann', password: 'secret', storage: localStorage })
const notes = await open(`notes-${me.user}`, { ...settings, token: me })
await open('local', { store: 'memory', token: async () => 'sk_…' })
// @ts-expect-error there is no such store
await open('local', { store: 'disk' })

// Documents

const milk = notes.create<Task>('task.milk', {
  title: new Text('Milk'), done: false, tags: new ORSet(['shop']), votes: new Counter(1),
})
is<Same<typeof milk.plain, Task | null>>()
const found = notes.get<Task>('task.milk')
is<Same<typeof found, LiveDocument<Task> | null>>()
notes.create('note.plan', { anything: [1, { deep: new Text() }] }).put('goes', null)
// @ts-expect-error a task has a title
notes.create<Task>('task.bread', { done: false, tags: [], votes: 0 })

const task = notes.document<Task>('task.milk')
task.put('done', true)
task.put('title', new Text('Soy milk'))
task.update({ title: 'Soy milk', tags: ['shop', 'today'] })
task.delete('due')
// @ts-expect-error a task has no such key
task.put('dnoe', true)
// @ts-expect-error whether it is done is no text
task.put('done', 'yes')
// @ts-expect-error a task has no such key
task.update({ titel: 'Oats' })
// @ts-expect-error a task has no such key
task.delete('tag')

task.edit('markComplete', (edit) => {
  is<Same<typeof edit, Edit<Task>>>()
  edit.put('done', true)
  edit.set('tags').add('today')
  edit.text('title').insert(0, 'Fresh ')
})
const done: void = task.patch([{ op: 'replace', path: '/title', value: 'Oats' }])
await task.patch([{ op: 'replace', path: '/title', value: 'Oats' }], { base: 1 })

// History

const past = await task.at({ seq: 3 })
is<Same<typeof past.plain, Task | null>>()
const revisions: Revision[] = await task.history({ after: 1 })
for (const revision of revisions) {
  is<Same<typeof revision.number, number>>()
  is<Same<typeof revision.user, string | null>>()
  if (revision.kind === 'update') revision.forward.map(({ op, path }) => `${op} ${path}`)
}
const undone: boolean = await task.undo()
const { values, overruled }: Conflicts = await task.conflicts()

// What an app shows

const open_ = notes.query<Task>('task.*', { where: { done: false }, orderBy: '-title', limit: 3, text: 'milk' })
is<Same<typeof open_, LiveDocument<Task>[]>>()
const stop: () => void = notes.watch('task.*', (changed: LiveDocument<Task>[]) => changed.map(({ plain }) => plain?.title))
notes.watchQuery<Task>('task.*', { orderBy: 'title' }, ([first]) => first.plain?.done)
const status: Status = notes.status()
is<Same<typeof status.state, 'offline' | 'connecting' | 'syncing' | 'live' | 'needs_auth'>>()
const result: SyncResult = await notes.sync()
result.errors.map(({ code }) => code)
const refused: Refused[] = notes.refused()
for (const { event, error } of refused) error.code === 'forbidden' ? notes.drop(event.id) : notes.retry(event.id)
notes.presence.set({ caret: 3 }, 'task.milk')
const peers: Peer[] = notes.presence.peers('task.milk')
const isSynclines = (error: unknown) => error instanceof SynclineError && error.code === 'document_exists'

// React

const shown = useDocument<Task>(notes, 'task.milk')
is<Same<typeof shown, Task | null>>()
const tasks = useQuery<Task>(notes, 'task.*', { orderBy: 'title' })
is<Same<typeof tasks, LiveDocument<Task>[]>>()
const { state, pending } = useStatus(notes)
const { undo, redo } = useUndo(notes, 'task.milk')
is<Same<ReturnType<typeof undo>, Promise<boolean>>>()
const others: Peer[] = usePresence(notes, { name: 'Ann' }, 'task.milk')

export { ServerSession, done, isSynclines, others, overruled, pending, redo, state, stop, undone, peers, values }

// Peers

const meeting = syncWith(notes, new ChannelTransport(new MessageChannel().port2), { token: 'secret' })
const met: SyncResult = await meeting.sync()
is<Same<typeof met.mended, number>>()
const stopServing: () => void = serve(new RTCPeerConnection().createDataChannel('notes'), new ReplicaPeer(notes))
serve(new BroadcastChannel('notes'), new ReplicaPeer(notes, { token: 'secret' }))
syncWith(notes, new MemoryTransport(new ReplicaPeer(notes))).start()
stopServing()
const healed: number = (await notes.heal()).mended
// @ts-expect-error it carries no texts
serve(new EventTarget(), new ReplicaPeer(notes))
void healed
