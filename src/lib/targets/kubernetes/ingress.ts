import {setTimeout as pause} from 'node:timers/promises'

import type {Context} from '../../context.js'
import {MlvError} from '../../errors.js'
import {statusOf} from '../../tools/http.js'
import type {Step} from '../../types/phase.js'
import {SERVICE_TITLES, type ServiceName} from '../../types/target.js'
import {RELEASES} from './names.js'

const ASK_MS = 10_000
const PAUSE_MS = 2000
const HEALTH: Readonly<Record<ServiceName, string>> = {mlflow: '/health', ray: '/api/gcs_healthz'}

/** The address by which people reach a service without a tunnel; undefined where the profile names none. */
export const ingressAddress = ({profile}: Context, service: ServiceName): string | undefined =>
  profile.settings.ingress[service]

/** The values by which both charts make an ingress, and let its controller in. */
export function ingressValues(context: Context, service: ServiceName): Readonly<Record<string, unknown>> {
  const address = ingressAddress(context, service)
  if (address === undefined) return {}
  const {class: className, namespace, tlsSecret} = context.profile.settings.ingress
  const {host, hostname} = new URL(address)
  const ingress = {enabled: true, className, host: hostname, ...(tlsSecret !== undefined && {tlsSecret})}
  return {
    ...(className !== undefined && {ingress}),
    // MLflow answers only to names that it knows; Ray's dashboard asks for the token whatever it is called.
    ...(service === 'mlflow' && {
      server: {allowedHosts: [...new Set([host, hostname])], corsAllowedOrigins: [address]},
    }),
    ...(namespace !== undefined && {networkPolicy: {fromNamespaces: [namespace]}}),
  }
}

/** Waits until the address answers: a load balancer and its name take minutes after the pods are there. */
export function ingressSteps(context: Context, service: ServiceName): Step[] {
  const address = ingressAddress(context, service)
  if (address === undefined) return []
  return [
    {
      id: 'ingress',
      title: `Waiting for ${address}`,
      plan: [`GET ${address}${HEALTH[service]} until it answers`],
      async run(progress) {
        const {timeout} = context.profile.settings.kubernetes
        const until = performance.now() + timeout * 60_000
        for (;;) {
          context.signal.throwIfAborted()
          const status = await statusOf(`${address}${HEALTH[service]}`, {timeoutMs: ASK_MS, signal: context.signal})
          if (status === 200) return
          if (performance.now() > until) throw await unreached(context, service, status, ` within ${timeout} min`)
          progress.update(inWords(status))
          await pause(PAUSE_MS)
        }
      },
    },
  ]
}

const inWords = (status: number | undefined): string => (status === undefined ? 'no answer' : `HTTP ${status}`)

/** Of an address that does not answer: the ingress and its events are where the reason is. */
export async function unreached(
  context: Context,
  service: ServiceName,
  status: number | undefined,
  when = '',
): Promise<MlvError> {
  const kube = await context.kube()
  const address = ingressAddress(context, service)
  const name = RELEASES[service]
  return new MlvError(
    'MLV_NOT_RUNNING',
    `${SERVICE_TITLES[service]} does not answer at ${address}: ${inWords(status)}${when}.`,
    {
      tryThis: [
        `curl -sS -o /dev/null -w '%{http_code}\\n' ${address}${HEALTH[service]}`,
        ...(context.profile.settings.ingress.class === undefined
          ? []
          : [`kubectl --context ${kube.context} -n ${kube.namespace} describe ingress ${name}`]),
        context.command('status'),
      ],
    },
  )
}
