/** Reports a video to the sidecar as make-video does: its job, and each finished item. */

/** An item of a stage is finished. */
export type ItemDone = (stage: string, item: string, of: number) => Promise<void>

type VideoRecord = { readonly itemDone: ItemDone; readonly end: () => Promise<void> }

/** @param control address of the control listener; undefined without a sidecar. */
export async function videoRecord(control: string | undefined, number: number): Promise<VideoRecord> {
  if (control === undefined) return { itemDone: async () => {}, end: async () => {} }
  const call = async (method: string, path: string, body?: object) => {
    const init = body === undefined ? {} : { body: JSON.stringify(body) }
    const { ok, status } = await fetch(`${control}/v1/${path}`, { method, ...init })
    if (!ok) throw new Error(`${method} ${path}: HTTP ${status}`)
  }
  const id = `video-${number}`
  await call('PUT', `jobs/${id}`, {})
  return {
    itemDone: (stage, item, of) =>
      call('POST', `checkpoints/${id}/items`, { stage, item_ids: [item], total_items: of }),
    end: async () => {
      await call('DELETE', `checkpoints/${id}`)
      await call('DELETE', `jobs/${id}`)
    },
  }
}
