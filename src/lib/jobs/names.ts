import {randomInt} from 'node:crypto'

import {MlvError} from '../errors.js'
import {JOB_NAME_PATTERN} from '../types/job.js'

const words = (
  'amber basil birch breeze cedar clover comet coral crane dune ember falcon fern finch fjord flint gale garnet ginger ' +
  'grove harbor hazel heron indigo iris ivory jade juniper lagoon lark linden lotus lunar maple marble meadow mint ' +
  'moss nectar north ocean olive onyx opal orchid otter pearl pine plum poppy quartz raven reef ridge robin rowan ' +
  'saffron sage sierra silver slate spruce summit sunny swift teal thistle tulip umber valley velvet violet willow'
).split(' ')

/** Without vowels and what is mistaken for another: no word comes out by chance. */
const letters = 'bcdfghjkmnpqrstvwxz23456789'

/** `digits-amber-x3f2`: easy to say, and one of 27^4 per word. */
export function makeName(stem: string): string {
  const word = words[randomInt(words.length)] ?? 'amber'
  const tail = Array.from({length: 4}, () => letters[randomInt(letters.length)]).join('')
  return `${stem}-${word}-${tail}`
}

/** A name that can be used, or an error with the same command line (`again`) for one that can. */
export function checkName(name: string, flag: string, again: (flag: string, value: string) => string): string {
  if (JOB_NAME_PATTERN.test(name)) return name
  const usable = name
    // `ü` is a u with a mark on it.
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, 100)
    .replace(/[^A-Za-z0-9]+$/, '')
  throw new MlvError(
    'MLV_JOB_NAME',
    `${flag} is ${JSON.stringify(name)}; it takes letters, digits, ".", "_" and "-", at most 100, the first a letter or digit.`,
    {tryThis: [again(flag, usable || 'my-job')]},
  )
}
