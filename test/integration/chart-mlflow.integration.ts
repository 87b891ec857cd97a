import {describe, expect, it} from 'vitest'

import {type Manifest, ofKind, render, template} from '../_helpers/charts.js'

const container = (manifests: readonly Manifest[], kind = 'Deployment') =>
  ofKind(manifests, kind).spec.template.spec.containers[0]

function variables(manifests: readonly Manifest[]): Record<string, string> {
  return Object.fromEntries(container(manifests).env.map((one: Manifest) => [one.name, one.value]))
}

describe('the chart mlflow', () => {
  it('names no number of pods while the load decides it, and says it otherwise', () => {
    const scaled = render('mlflow', 'postgresql')
    expect(ofKind(scaled, 'Deployment').spec).not.toHaveProperty('replicas')
    expect(ofKind(scaled, 'HorizontalPodAutoscaler').spec).toMatchObject({minReplicas: 2, maxReplicas: 5})
    const fixed = render('mlflow', 'postgresql', ['autoscaling.enabled=false', 'replicas=3'])
    expect(ofKind(fixed, 'Deployment').spec.replicas).toBe(3)
    expect(ofKind(fixed, 'HorizontalPodAutoscaler')).toBeUndefined()
  })

  it.each([
    [100, 5, 2],
    [190, 5, 2],
    [400, 3, 4],
    [5000, 10, 8],
  ])(
    'keeps %i connections of a database enough for itself and others, with %i pods of %i workers',
    (max, pods, workers) => {
      const changes = [
        `postgresql.maxConnections=${max}`,
        `autoscaling.maxReplicas=${pods}`,
        `server.workers=${workers}`,
      ]
      const {MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW: overflow, MLFLOW_SQLALCHEMYSTORE_POOL_SIZE: size} = variables(
        render('mlflow', 'postgresql', changes),
      )
      // MLflow reads an overflow of 0 as none given, which is 10.
      expect(Number(overflow)).toBeGreaterThan(0)
      expect(Number(size)).toBeGreaterThan(0)
      // Runs, models and sign-ins have a pool each in every worker; a rollout adds a pod.
      const used = (pods + 1) * (workers * 3 * (Number(size) + Number(overflow)) + 1)
      expect(used).toBeLessThan(max * 0.8)
    },
  )

  it('refuses more pods and workers than the database has connections for, and says how many it would take', () => {
    const {code, stderr} = template('mlflow', 'postgresql', ['server.workers=4'])
    expect(code).not.toBe(0)
    const enough = Number(/(\d+) at least, or fewer pods or workers/.exec(stderr.replace(/\s+/g, ' '))?.[1])
    const asked = (max: number) =>
      template('mlflow', 'postgresql', ['server.workers=4', `postgresql.maxConnections=${max}`])
    expect(asked(enough).code).toBe(0)
    expect(asked(enough - 1).code).not.toBe(0)
  })

  it('migrates in a step of its own, while no server runs', () => {
    const usual = render('mlflow', 'postgresql')
    expect(ofKind(usual, 'Job')).toBeUndefined()
    for (const values of ['postgresql', 'sqlite']) {
      const step = render('mlflow', values, ['migration.enabled=true'])
      expect(ofKind(step, 'Deployment').spec.replicas).toBe(0)
      expect(ofKind(step, 'HorizontalPodAutoscaler')).toBeUndefined()
      expect(container(step, 'Job').image).toBe(container(step).image)
      expect(container(step, 'Job').env).toEqual(container(step).env)
    }
  })

  it('never puts sign-ins and runs into one database', () => {
    const {code, stderr} = template('mlflow', 'postgresql', ['postgresql.authDatabase=mlflow'])
    expect(code).not.toBe(0)
    expect(stderr).toContain('postgresql.authDatabase must differ')
  })

  it('names what is missing where the database or its certificate is not given', () => {
    expect(template('mlflow', 'postgresql', ['postgresql.host=']).stderr).toContain('/postgresql/host')
    expect(template('mlflow', 'postgresql', ['postgresql.caConfigMap=']).stderr).toContain(
      'needs postgresql.caConfigMap',
    )
    expect(template('mlflow', 'postgresql', ['auth.existingSecret=']).stderr).toContain('/auth/existingSecret')
  })

  it('keeps every secret in a Secret', () => {
    const {env} = container(render('mlflow', 'postgresql'))
    const secret = env.filter(({name}: Manifest) => /PASSWORD|SECRET|ACCESS_KEY/.test(name))
    expect(secret.map(({name}: Manifest) => name)).toEqual([
      'MLFLOW_AUTH_ADMIN_PASSWORD',
      'MLFLOW_FLASK_SERVER_SECRET_KEY',
      'PGPASSWORD',
    ])
    for (const one of secret) expect(one).toHaveProperty('valueFrom.secretKeyRef.key')
  })

  it('runs one pod on a volume that outlives the release where there is no database', () => {
    const manifests = render('mlflow', 'sqlite')
    expect(ofKind(manifests, 'Deployment').spec).toMatchObject({replicas: 1, strategy: {type: 'Recreate'}})
    expect(ofKind(manifests, 'PersistentVolumeClaim').metadata.annotations).toEqual({'helm.sh/resource-policy': 'keep'})
    expect(manifests.map(({kind}) => kind)).not.toContain('PodDisruptionBudget')
  })

  it('prefers the digest of an image to its tag', () => {
    const tagged = container(render('mlflow', 'sqlite', ['image.digest=', 'image.tag=mine']))
    expect(tagged.image).toBe('registry.example.com/mlv-mlflow:mine')
    expect(container(render('mlflow', 'sqlite')).image).toMatch(/^registry\.example\.com\/mlv-mlflow@sha256:/)
  })
})
