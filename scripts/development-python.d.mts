export function developmentPython(): string
