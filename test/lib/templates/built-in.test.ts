import {readFileSync} from 'node:fs'
import {join} from 'node:path'
import {Ajv} from 'ajv'
import {Ajv2020} from 'ajv/dist/2020.js'
import {describe, expect, it} from 'vitest'
import {parse} from 'yaml'

import {formatTemplate} from '../../../src/lib/templates/describe.js'
import {listTemplates, type Template} from '../../../src/lib/templates/load-template.js'
import {parameterValues} from '../../../src/lib/templates/parameters.js'
import {render} from '../../../src/lib/templates/render.js'
import {packageDir, templateContext} from './fixture.js'

const {context} = templateContext(join(packageDir, 'test'))
const entries = await listTemplates(context)
const templates = entries.flatMap(({template}) => (template ? [template] : []))
const trained = templates.filter(template => 'mlvision' in template.work)

const schemaOf = (name: string) => JSON.parse(readFileSync(join(packageDir, 'schemas', `${name}.schema.json`), 'utf8'))
// Written by scripts/train-config-schema.py; a Python test keeps it the one of TrainConfig.
const isTrainConfig = new Ajv2020({strict: false, validateFormats: false}).compile(schemaOf('train-config'))
const isTemplate = new Ajv({strict: false}).compile(schemaOf('template'))

const configWith = async (template: Template, values: Record<string, string>) => {
  const set = Object.entries(values).map(([name, value]) => `${name}=${value}`)
  const {work} = render(template, await parameterValues(context, {template, set}))
  return work.type === 'mlvision' ? work.config : undefined
}

describe('the templates that mlv brings', () => {
  it('are described in whole lines, wherever the lines of their source end', () => {
    const description = 'one two\nthree\n\nfour\n- five\n- six\n'
    const [digits] = templates
    expect(digits && formatTemplate({...digits, description})).toContain('\none two three\n\nfour\n- five\n- six\n\n')
  })

  it('can all be used', () => {
    expect(entries.map(({name, problem}) => [name, problem])).toEqual([
      ['cifar10', undefined],
      ['cifar10-sweep', undefined],
      ['cifar100', undefined],
      ['ddp-1x4', undefined],
      ['ddp-4x1', undefined],
      ['digits', undefined],
      ['digits-sweep', undefined],
      ['fashion-mnist', undefined],
      ['lightning', undefined],
      ['lightning-sweep', undefined],
      ['script', undefined],
    ])
  })

  it.each(templates)('$name is right for editors too', ({folder}) => {
    const value = parse(readFileSync(join(folder, 'template.yaml'), 'utf8'))
    expect(isTemplate(value) || isTemplate.errors).toBe(true)
    expect(isTemplate({...value, kindd: 1})).toBe(false)
  })

  it.each(trained)('$name comes to a configuration that mlvision takes', async template => {
    expect(isTrainConfig(await configWith(template, {})) || isTrainConfig.errors).toBe(true)
  })

  it.each(trained)('$name offers only what mlvision takes, to the ends of each range', async template => {
    for (const [name, parameter] of Object.entries(template.parameters)) {
      const ends =
        parameter.type === 'choice'
          ? parameter.choices
          : parameter.type === 'integer' || parameter.type === 'number'
            ? [parameter.minimum, parameter.maximum].map(String)
            : [parameter.type === 'boolean' ? 'false' : 'text']
      for (const end of ends) {
        const config = await configWith(template, {[name]: end})
        expect(isTrainConfig(config) || [name, end, isTrainConfig.errors]).toBe(true)
      }
    }
  })

  it('offer every model, data set and device that mlvision has', () => {
    const schema = JSON.stringify(schemaOf('train-config'))
    for (const {parameters} of trained) {
      for (const name of ['data.name', 'model.name', 'device']) {
        const parameter = parameters[name]
        expect(schema).toContain(`"enum":${JSON.stringify(parameter?.type === 'choice' ? parameter.choices : [])}`)
      }
    }
  })

  it('have their published schema judge a wrong configuration, so that the tests above can fail', async () => {
    const template = trained.find(({name}) => name === 'digits') as Template
    expect(isTrainConfig({...(await configWith(template, {})), epohcs: 1})).toBe(false)
  })
})
