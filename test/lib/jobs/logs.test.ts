import {describe, expect, it} from 'vitest'

import {readableLines} from '../../../src/lib/jobs/logs.js'

describe('the log of a job that is over', () => {
  it('shows events in the words in which they were followed, and the own output of the person as it is', () => {
    const events = [
      {event: 'state', state: 'running', message: 'Running on vm, attempt 1 of 3.'},
      {
        event: 'epoch',
        epoch: 2,
        epochs: 20,
        seconds: 1.5,
        images_per_second: 900,
        metrics: {train_loss: 0.25, val_accuracy: 0.975, lr: 0.01},
        best: {epoch: 2, value: 0.975},
      },
      {event: 'checkpoint', epoch: 2, path: '/c', bytes: 7},
    ]
    const text = [...events.map(event => `@mlv ${JSON.stringify(event)}`), 'mine: 1', ''].join('\n')
    expect(readableLines(text)).toEqual([
      'running: Running on vm, attempt 1 of 3.',
      'epoch  2/20  train_loss 0.2500  val_accuracy 0.9750  1.5 s  best',
      'mine: 1',
    ])
  })
})
