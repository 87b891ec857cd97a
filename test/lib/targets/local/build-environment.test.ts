import {expect, it} from 'vitest'

import {torchArguments} from '../../../../src/lib/targets/local/build-environment.js'

it('PyTorch is asked for by exact version, from the index of its back end; the plan of setup shows the same', () => {
  const torch = {torch: '2.14.1', torchvision: '0.29.2'}
  expect(torchArguments({torch, torchBackend: 'cpu'})).toEqual([
    '--torch-backend',
    'cpu',
    'torch==2.14.1',
    'torchvision==0.29.2',
  ])
  expect(torchArguments({torch, torchBackend: undefined})).toEqual(['torch==2.14.1', 'torchvision==0.29.2'])
  expect(torchArguments({torch: {}, torchBackend: 'cpu'})).toEqual([])
})
