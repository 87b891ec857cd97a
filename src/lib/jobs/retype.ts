import {formatArgv} from '../tools/exec.js'

/**
 * What was typed after `mlv`, with another value of one flag (its spellings, the long one first): everything else stays,
 * so that it can be pasted. `words` begins with `mlv`.
 */
export function retyped(words: readonly string[], [flag = '', ...short]: readonly string[], value: string): string {
  const end = words.indexOf('--')
  const [own, rest] = end < 0 ? [words.slice(1), []] : [words.slice(1, end), words.slice(end)]
  const kept: string[] = []
  let isFound = false
  for (let index = 0; index < own.length; index++) {
    const word = own[index] ?? ''
    const isAlone = word === flag || short.includes(word)
    if (isAlone || word.startsWith(`${flag}=`) || short.some(char => word.startsWith(char))) {
      if (isAlone) index += 1
      // Of a flag that is given twice the last one counts.
      if (!isFound) kept.push(flag, value)
      isFound = true
    } else kept.push(word)
  }
  return formatArgv([...kept, ...(isFound ? [] : [flag, value]), ...rest])
}
