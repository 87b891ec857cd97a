import {describe, expect, it} from 'vitest'

import {profileSchema} from '../../../../src/lib/profile/profile.js'
import {mlflowValues, rayValues} from '../../../../src/lib/targets/kubernetes/values.js'
import {projectContext} from '../../../_helpers/project-context.js'
import {temporaryFolder} from '../../../_helpers/temporary-folder.js'

const profile = (ingress: object) => profileSchema.safeParse({target: 'kubernetes', ingress})

async function contextWith(ingress: object) {
  const {context} = projectContext(await temporaryFolder())
  return {...context, profile: {name: 'team', settings: profile(ingress).data ?? profileSchema.parse({})}}
}

describe('addresses in place of tunnels', () => {
  it('become an ingress of the class, a name that MLflow answers to, and a way in for the controller', async () => {
    const context = await contextWith({
      mlflow: 'https://mlflow.example.com:8443',
      class: 'nginx',
      tlsSecret: 'certificate',
      namespace: 'ingress-nginx',
    })
    expect(await mlflowValues(context, undefined)).toMatchObject({
      ingress: {enabled: true, className: 'nginx', host: 'mlflow.example.com', tlsSecret: 'certificate'},
      server: {
        allowedHosts: ['mlflow.example.com:8443', 'mlflow.example.com'],
        corsAllowedOrigins: ['https://mlflow.example.com:8443'],
      },
      networkPolicy: {egressPorts: [443], fromNamespaces: ['ingress-nginx']},
    })
    expect(await rayValues(context, undefined, undefined)).not.toHaveProperty('ingress')
  })

  it('make no ingress where no class is named: somebody else has made one', async () => {
    const context = await contextWith({mlflow: 'https://mlflow.example.com'})
    const values = await mlflowValues(context, undefined)
    expect(values).not.toHaveProperty('ingress')
    expect(values).toMatchObject({server: {allowedHosts: ['mlflow.example.com']}})
  })

  it.each(['http://mlflow.example.com', 'https://example.com/mlflow', 'mlflow.example.com', 'https://a b'])(
    'are refused where passwords would be shown or the address is none: %s',
    address => {
      expect(profile({mlflow: address}).success).toBe(false)
    },
  )
})
