export function clusterTool(name: 'helm3' | 'helm4' | 'kubectl'): string
