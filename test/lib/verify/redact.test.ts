import {describe, expect, it} from 'vitest'

import {createRedactor, redactUrls} from '../../../src/lib/verify/redact.js'

describe('the redactor', () => {
  it('hides a known secret in every form in which programs write it down', () => {
    const secret = 'pa"ss wörd/1+é'
    const redact = createRedactor([secret])
    const forms = [
      secret,
      encodeURIComponent(secret),
      JSON.stringify(secret).slice(1, -1),
      Buffer.from(secret).toString('base64'),
    ]
    for (const form of forms) expect(redact(`before ${form} after`)).toBe('before *** after')
  })

  it('hides what looks like a secret though nobody named it', () => {
    const redact = createRedactor([])
    const seen = redact(
      [
        'postgresql://mlv:p@ss/w:rd@db.example/mlflow',
        'https://0123456789abcdef@index.example/simple',
        'Authorization: Bearer abcdefghijklmnop',
        'header Basic YWRtaW46cGFzc3dvcmQ=',
        'AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI',
        '"password": "with \\"quotes\\" inside"',
        "mlflow-secret-key: 'f00dfeed'",
        'key AKIAIOSFODNN7EXAMPLE',
        'ghp_0123456789abcdefghij',
        'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl',
        '-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nIBAAK\n-----END RSA PRIVATE KEY-----',
      ].join('\n'),
    )
    const secrets = /p@ss|w:rd|0123456789|abcdefghij|YWRtaW|wJalr|quotes|f00d|AKIA|eyJ|MIIE|IBAAK/
    expect(seen).not.toMatch(secrets)
  })

  it('leaves ordinary text as it is', () => {
    const text =
      'epoch 3/20 val_accuracy 0.97, http://127.0.0.1:5000/#/experiments/1, user minji, tokens per second high'
    expect(createRedactor(['1', 'user'])(text)).toBe(text)
  })

  it('takes name and password out of an address', () => {
    expect(redactUrls('https://me:a@b@index.example/simple')).toBe('https://***@index.example/simple')
  })
})
