// biome-ignore-all lint/suspicious/noTemplateCurlyInString: placeholders of templates are what is tested
import {join} from 'node:path'
import fc from 'fast-check'
import {describe, expect, it} from 'vitest'
import {stringify} from 'yaml'

import {loadTemplate} from '../../../src/lib/templates/load-template.js'
import {type ParameterSources, parameterValues} from '../../../src/lib/templates/parameters.js'
import {render} from '../../../src/lib/templates/render.js'
import {temporaryFolder, writeFiles} from '../../_helpers/temporary-folder.js'
import {templateContext} from './fixture.js'

const own = `name: own
summary: Ours.
kind: train
parameters:
  text: {type: string, default: "", description: Any text.}
  count: {type: integer, minimum: 1, maximum: 9, default: 1, description: How many.}
  flag: {type: boolean, default: false, description: Whether.}
  deep.rate: {type: number, minimum: 0, default: 0.5, description: How fast.}
work:
  command: [run, "--text=\${text}", "\${count}", "$\${text}"]
`

async function setUp(files: Record<string, string> = {}) {
  const folder = await temporaryFolder({'templates/own/template.yaml': own, ...files})
  const {context} = templateContext(folder)
  return {context, folder, template: await loadTemplate(context, 'own'), digits: await loadTemplate(context, 'digits')}
}

describe('the values of a template', () => {
  it('come from --set over the short flags over the file over the defaults', async () => {
    const {context, digits: template} = await setUp({
      'my.yaml': 'epochs: 3\nbatch_size: 32\nmodel: {name: resnet18, dropout: 0.2}\noptimizer.lr: 0.1\n',
    })
    const values = (more: Partial<ParameterSources>) => parameterValues(context, {template, ...more})
    expect(await values({})).toMatchObject({epochs: 20, batch_size: 64})
    expect(await values({file: 'my.yaml', epochs: 4, set: ['batch_size=16']})).toMatchObject({
      epochs: 4,
      batch_size: 16,
      'model.name': 'resnet18',
      'model.dropout': 0.2,
      'optimizer.lr': 0.1,
    })
    expect(await values({epochs: 4, set: ['epochs=5', 'epochs=6']})).toMatchObject({epochs: 6})
    expect(await values({model: 'resnet18', dataset: 'cifar10'})).toMatchObject({'data.name': 'cifar10'})
  })

  it('may come from JSON', async () => {
    const {context, template} = await setUp({'my.json': '{"deep": {"rate": 2}, "text": "a: b # c"}'})
    expect(await parameterValues(context, {template, file: 'my.json'})).toMatchObject({
      'deep.rate': 2,
      text: 'a: b # c',
    })
  })

  it.each<[string, Partial<ParameterSources>, string, string]>([
    [
      'an unknown one',
      {set: ['epohcs=3']},
      'MLV_PARAMETER_UNKNOWN',
      'Template digits has no parameter "epohcs". Did you mean "epochs"?',
    ],
    [
      'half a name',
      {set: ['lr=3']},
      'MLV_PARAMETER_UNKNOWN',
      'Template digits has no parameter "lr". Did you mean "optimizer.lr"?',
    ],
    [
      'a wrong type',
      {set: ['epochs=many']},
      'MLV_PARAMETER_VALUE',
      'epochs is "many"; it takes a whole number from 1 to 100000.',
    ],
    [
      'a broken number',
      {set: ['epochs=1.5']},
      'MLV_PARAMETER_VALUE',
      'epochs is "1.5"; it takes a whole number from 1 to 100000.',
    ],
    [
      'one out of range',
      {epochs: 0},
      'MLV_PARAMETER_VALUE',
      '--epochs is "0"; it takes a whole number from 1 to 100000.',
    ],
    [
      'an unknown model',
      {model: 'resnet81'},
      'MLV_PARAMETER_VALUE',
      '--model (model.name) is "resnet81"; it takes one of: compact_cnn, mobilenet_v3_small, mobilenet_v3_large, resnet18. Did you mean "resnet18"?',
    ],
    ['no value at all', {set: ['epochs']}, 'MLV_PARAMETER_FORM', '--set "epochs" does not have the form NAME=VALUE.'],
    [
      'the prototype of an object',
      {set: ['__proto__=1']},
      'MLV_PARAMETER_UNKNOWN',
      'Template digits has no parameter "__proto__".',
    ],
  ])('are refused: %s', async (_, sources, code, message) => {
    const {context, digits: template} = await setUp()
    await expect(parameterValues(context, {template, ...sources})).rejects.toMatchObject({code, exitCode: 2, message})
  })

  it('are refused with the group that was meant', async () => {
    const {context, digits: template} = await setUp({'my.yaml': 'modle:\n  name: resnet18\n'})
    await expect(parameterValues(context, {template, file: 'my.yaml'})).rejects.toMatchObject({
      message: 'my.yaml, line 1, column 1: Template digits has no parameter "modle". Did you mean "model"?',
    })
  })

  it('are refused with line and column when they stand in a file', async () => {
    const {context, digits: template} = await setUp({'my.yaml': 'model:\n  nmae: resnet18\nepochs: "3"\n'})
    await expect(parameterValues(context, {template, file: 'my.yaml'})).rejects.toMatchObject({
      code: 'MLV_PARAMETER_UNKNOWN',
      message: 'my.yaml, line 2, column 3: Template digits has no parameter "model.nmae". Did you mean "model.name"?',
      details: expect.arrayContaining([
        'my.yaml, line 3, column 9: epochs is "3"; it takes a whole number from 1 to 100000.',
        '3 | epochs: "3"',
        '  |         ^^^',
      ]),
    })
  })

  it('from a file that is not there are refused', async () => {
    const {context, template} = await setUp()
    await expect(parameterValues(context, {template, file: 'no.yaml'})).rejects.toMatchObject({
      code: 'MLV_PARAMETER_FILE',
      message: 'no.yaml does not exist.',
    })
  })

  it('arrive as they were given, whatever characters YAML or a shell would read in them', async () => {
    const {context, folder, template} = await setUp()
    const traps = [
      '$(rm -rf /)',
      '`id`',
      'a: b # c',
      '"\'',
      '${count}',
      '$${text}',
      '$&',
      'yes',
      '1e3',
      '한글 🎉',
      ' x ',
      'a\nb',
      '\\',
      '',
    ]
    const text = fc.oneof(fc.constantFrom(...traps), fc.string({unit: 'binary', maxLength: 40}))
    await fc.assert(
      fc.asyncProperty(text, async value => {
        await writeFiles(folder, {'p.yaml': stringify({text: value}), 'p.json': JSON.stringify({text: value})})
        const ways = [{set: [`text=${value}`]}, {file: 'p.json'}, {file: 'p.yaml'}]
        for (const way of ways) {
          const {work} = render(template, await parameterValues(context, {template, ...way}))
          expect(work).toEqual({type: 'command', argv: ['run', `--text=${value}`, '1', '${text}']})
        }
      }),
      {numRuns: 150, examples: traps.map(trap => [trap])},
    )
  })
})

describe("a project's own template", () => {
  it('stands in front of the built-in one of its name, and that is said', async () => {
    const text = own.replace('name: own', 'name: digits')
    const {folder} = await setUp({'templates/digits/template.yaml': text, 'templates/digits/files/a.py': ''})
    const {context, said} = templateContext(folder)
    const template = await loadTemplate(context, 'digits')
    expect(template).toMatchObject({source: 'project', filesDir: join(folder, 'templates/digits/files')})
    expect(said.join('')).toContain("Template digits is this project's own (templates/digits)")
  })

  it('that does not exist is answered with the nearest and the list', async () => {
    const {context} = await setUp()
    await expect(loadTemplate(context, 'digist')).rejects.toMatchObject({
      code: 'MLV_TEMPLATE_UNKNOWN',
      message: 'There is no template "digist". Did you mean "digits"?',
    })
  })

  it.each([
    [
      'an unknown key',
      'kind: train',
      'kind: train\nkindd: 1',
      'line 4, column 1: Unknown key "kindd". Did you mean "kind"?',
    ],
    [
      'a default out of range',
      'default: 1,',
      'default: 10,',
      'line 6, column 59: parameters.count.default is 10; it takes a whole number from 1 to 9.',
    ],
    ['a placeholder of nothing', '"${count}"', '"${cuont}"', 'line 10, column 36: work.command.2 is'],
    ['another name than its folder', 'name: own', 'name: other', 'name is "other", but the folder is "own".'],
  ])('is refused for %s', async (_, from, to, message) => {
    const folder = await temporaryFolder({'templates/own/template.yaml': own.replace(from, () => to)})
    const {context} = templateContext(folder)
    const refused = expect(loadTemplate(context, 'own')).rejects
    await refused.toMatchObject({code: 'MLV_TEMPLATE_INVALID'})
    await expect(loadTemplate(context, 'own')).rejects.toThrow(message)
  })
})
