export function checkov(): [string, ...string[]]
