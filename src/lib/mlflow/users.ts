import {z} from 'zod'

import type {Secret} from '../tools/secret.js'
import type {MlflowHttp} from './http.js'
import {alreadyExists, isMissing} from './mlflow-error.js'

/** What a user may do with one thing; `NO_PERMISSIONS` is what a new user has. */
export type Grant = 'READ' | 'USE' | 'EDIT' | 'MANAGE' | 'NO_PERMISSIONS'
export type GrantedKind = 'experiment' | 'registered_model'

export interface MlflowUser {
  readonly id: number
  readonly username: string
  readonly isAdmin: boolean
}

const userSchema = z
  .object({id: z.number(), username: z.string(), is_admin: z.boolean()})
  .transform((raw): MlflowUser => ({id: raw.id, username: raw.username, isAdmin: raw.is_admin}))
const one = z.object({user: userSchema})
const all = z.object({users: z.array(userSchema)})
const permission = z.object({allowed: z.boolean(), permission: z.string()})

const BASE = '/api/2.0/mlflow/users'
const PERMISSIONS = '/api/3.0/mlflow/users/permissions'

/** Users of MLflow's basic-auth app and what they may do. Only an admin may call most of it. */
export function usersApi(http: MlflowHttp) {
  const api = {
    /** Who this client is signed in as. */
    async current(): Promise<MlflowUser> {
      return one.parse(await http.json('GET', `${BASE}/current`)).user
    },

    /** Returns undefined where there is none of that name. */
    async get(username: string): Promise<MlflowUser | undefined> {
      try {
        const answer = await http.json('GET', `${BASE}/get`, {
          query: {username},
          needs: 'to see users (an admin has it)',
        })
        return one.parse(answer).user
      } catch (error) {
        if (isMissing(error)) return undefined
        throw error
      }
    },

    async list(): Promise<MlflowUser[]> {
      return all.parse(await http.json('GET', `${BASE}/list`, {needs: 'to list users (an admin has it)'})).users
    },

    async create(username: string, password: Secret): Promise<MlflowUser> {
      const answer = await http.json('POST', `${BASE}/create`, {
        json: {username, password: password.reveal()},
        needs: 'to create users (an admin has it)',
      })
      return one.parse(answer).user
    },

    /** Of another user, as an admin; for one's own the server wants the old one too. */
    async setPassword(username: string, password: Secret, current?: Secret): Promise<void> {
      await http.json('PATCH', `${BASE}/update-password`, {
        json: {username, password: password.reveal(), ...(current ? {current_password: current.reveal()} : {})},
        needs: `to change the password of ${username} (an admin has it)`,
      })
    },

    async delete(username: string): Promise<void> {
      await http.json('DELETE', `${BASE}/delete`, {json: {username}, needs: 'to delete users (an admin has it)'})
    },

    /** Sets what a user may do with one thing; a second time changes nothing. */
    async grant(username: string, kind: GrantedKind, id: string, grant: Grant): Promise<void> {
      const send = () =>
        http.json('POST', `${PERMISSIONS}/grant`, {
          json: {username, resource_type: kind, resource_id: id, permission: grant},
          repeatable: true,
          needs: `MANAGE on ${kind.replace('_', ' ')} ${id}`,
        })
      try {
        await send()
      } catch (error) {
        if (!alreadyExists(error)) throw error
        if ((await api.permission(username, kind, id)) === grant) return
        // MLflow has no way to change a grant but this.
        await api.revoke(username, kind, id)
        await send()
      }
    },

    async revoke(username: string, kind: GrantedKind, id: string): Promise<void> {
      await http.json('POST', `${PERMISSIONS}/revoke`, {
        json: {username, resource_type: kind, resource_id: id},
        needs: `MANAGE on ${kind.replace('_', ' ')} ${id}`,
      })
    },

    /** What a user may really do with one thing, as the server itself decides it. */
    async permission(username: string, kind: GrantedKind, id: string): Promise<string> {
      const answer = await http.json('GET', `${PERMISSIONS}/get`, {
        query: {username, resource_type: kind, resource_id: id},
        needs: `MANAGE on ${kind.replace('_', ' ')} ${id}`,
      })
      return permission.parse(answer).permission
    },
  }
  return api
}
