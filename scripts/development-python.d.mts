export function developmentPython(): string
export function findPython(): string
export function findUv(python: string): string
