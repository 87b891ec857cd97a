import {spawnSync} from 'node:child_process'
import {mkdir} from 'node:fs/promises'
import {join} from 'node:path'
import {expect, it} from 'vitest'

import {bin, node} from '../_helpers/journey.js'
import {temporaryFolder} from '../_helpers/temporary-folder.js'

it('mlv completion bash prints a script by which bash completes, also a word that is not begun', async () => {
  const cwd = join(await temporaryFolder(), "it's mine")
  await mkdir(cwd)
  const lines = [
    `eval "$('${node}' '${bin}' completion bash)"`,
    'COMP_WORDS=(mlv jobs ""); COMP_CWORD=2; _mlv_complete; declare -p COMPREPLY',
    'COMP_WORDS=(mlv train --mod digits); COMP_CWORD=2; _mlv_complete; declare -p COMPREPLY',
    'COMP_WORDS=(mlv train -- python x); COMP_CWORD=4; _mlv_complete; declare -p COMPREPLY',
    'complete -p mlv',
  ]
  const {stderr, stdout} = spawnSync('bash', ['-c', lines.join('\n')], {cwd, encoding: 'utf8'})
  expect(stderr).toBe('')
  expect(stdout.split('\n')).toEqual([
    'declare -a COMPREPLY=([0]="list" [1]="logs" [2]="rerun" [3]="show" [4]="stop" [5]="wait" [6]="why")',
    'declare -a COMPREPLY=([0]="--model")',
    'declare -a COMPREPLY=()',
    'complete -o default -F _mlv_complete mlv',
    '',
  ])
})
