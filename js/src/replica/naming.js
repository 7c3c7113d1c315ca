// What events name: others, by their ids, in ops and meta.

const ID = /[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}/g

/** The ids that stand in a text, as an event is stored; what is none in a payload may look like one. @param {string} text */
export const idsIn = (text) => text.match(ID) ?? []

/**
 * The same JSON value with other ids.
 * @param {any} value @param {Map<string, string>} names
 */
export const renamed = (value, names) => JSON.parse(JSON.stringify(value).replace(ID, (id) => names.get(id) ?? id))
