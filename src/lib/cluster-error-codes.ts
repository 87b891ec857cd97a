import {type ErrorCodeInfo, exitCodes} from './exit-codes.js'

/** How working on a Kubernetes cluster can end badly. */
export const clusterErrorCodes = {
  MLV_CLUSTER_CONTEXT: {
    exit: exitCodes.usage,
    meaning: 'The profile names no context of the kubeconfig, or one that is not there.',
    remedies: ['`kubectl config get-contexts` lists them.', '`mlv init --target kubernetes --context NAME` takes one.'],
  },
  MLV_CLUSTER_OTHER: {
    exit: exitCodes.failed,
    meaning: 'The context leads to another cluster than the one that the profile is pinned to.',
    remedies: ['Point the context back, or change `kubernetes.server` and `kubernetes.ca` in mlv.yaml.'],
  },
  MLV_CLUSTER_UNREACHABLE: {
    exit: exitCodes.failed,
    meaning: "The cluster's API server gives no answer.",
    remedies: ['`kubectl cluster-info` shows whether it is reached from here.'],
  },
  MLV_CLUSTER_SIGN_IN: {
    exit: exitCodes.failed,
    meaning: 'The cluster does not know who asks: a token or certificate is missing or expired.',
    remedies: ['Sign in to the cluster again as its provider says, then run the command again.'],
  },
  MLV_CLUSTER_FORBIDDEN: {
    exit: exitCodes.failed,
    meaning: 'The user of the kubeconfig lacks permissions; the message lists all that are missing.',
    remedies: ['Ask whoever runs the cluster for what the list names.'],
  },
  MLV_CLUSTER_VERSION: {
    exit: exitCodes.failed,
    meaning: 'The cluster, kubectl, helm or KubeRay is of a version that mlv does not work with.',
  },
  MLV_CLUSTER_REFUSED: {exit: exitCodes.failed, meaning: "The cluster's API server refuses a request."},
  MLV_CLUSTER_NAMESPACE: {exit: exitCodes.failed, meaning: 'The namespace of the profile is being deleted.'},
  MLV_CLUSTER_WAIT: {
    exit: exitCodes.failed,
    meaning: 'Something on the cluster did not become ready in its time; the message says why.',
    remedies: ['`mlv status` shows what there is.', '`mlv setup` goes on from there.'],
  },
  MLV_CLUSTER_IMAGE: {
    exit: exitCodes.failed,
    meaning: 'The profile names no image that the cluster needs, or it cannot be pulled.',
  },
  MLV_RELEASE_FOREIGN: {
    exit: exitCodes.failed,
    meaning: 'A Helm release of that name is there that mlv did not make; it is left alone.',
    remedies: ['Choose another namespace in `kubernetes.namespace`, or remove the release yourself.'],
  },
  MLV_RELEASE_FAILED: {exit: exitCodes.failed, meaning: 'Helm could not install or upgrade a release.'},
  MLV_TUNNEL: {exit: exitCodes.failed, meaning: 'No tunnel to a service of the cluster could be opened.'},
} as const satisfies Record<`MLV_${string}`, ErrorCodeInfo>
