/** Checks the manifests that kubectl renders: each object against its schema, and the objects against each other. */

import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { PodMonitor } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PodMonitor'
import { Deployment } from 'kubernetes-models/apps/v1/Deployment'
import { DaemonSet } from 'kubernetes-models/apps/v1/DaemonSet'
import { StatefulSet } from 'kubernetes-models/apps/v1/StatefulSet'
import { HorizontalPodAutoscaler } from 'kubernetes-models/autoscaling/v2/HorizontalPodAutoscaler'
import { CronJob } from 'kubernetes-models/batch/v1/CronJob'
import { Job } from 'kubernetes-models/batch/v1/Job'
import { NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicy'
import type { Container } from 'kubernetes-models/v1'
import { ConfigMap } from 'kubernetes-models/v1/ConfigMap'
import { PersistentVolumeClaim } from 'kubernetes-models/v1/PersistentVolumeClaim'
import { Secret } from 'kubernetes-models/v1/Secret'
import { Service } from 'kubernetes-models/v1/Service'
import { describe, expect, test } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { formatFaults } from '../../src/config/file/faults.ts'
import { loadConfig } from '../../src/config/load.ts'
import type { Config } from '../../src/config/schema.ts'
import { formatWarnings, warningsOf } from '../../src/config/warnings.ts'
import { needs } from '../support/needs.ts'
import { observedReads } from '../support/observed-reads.ts'

type Named = { readonly apiVersion: string; readonly kind: string; readonly metadata: { readonly name: string } }

const TOKEN = '0123456789abcdef0123456789abcdef'
const MODELS = [
  ConfigMap,
  CronJob,
  DaemonSet,
  Deployment,
  HorizontalPodAutoscaler,
  Job,
  NetworkPolicy,
  PersistentVolumeClaim,
  PodMonitor,
  Secret,
  Service,
  StatefulSet,
]

const root = join(import.meta.dirname, '../..')
const kubectl = (...args: string[]) => execFileSync('kubectl', args, { cwd: root, encoding: 'utf8' })
const documents = (text: string) => parseAllDocuments(text).map((document) => document.toJSON())
// Components came with the kustomize of kubectl 1.21; Debian's own kubernetes-client is 1.20.
const version = spawnSync('kubectl', ['version', '--client', '--output=json'], { encoding: 'utf8' }).stdout ?? ''
const hasKubectl = Number(/"minor": "(\d+)/.exec(version)?.[1] ?? 0) >= 21

/** Keys that are not in the schema of the object. Throws when the object does not match its schema. */
function unknownKeys(object: Named): string[] {
  const model = MODELS.find(({ apiVersion, kind }) => apiVersion === object.apiVersion && kind === object.kind)
  if (model === undefined) throw new Error(`no schema for ${object.apiVersion} ${object.kind}`)
  const { observed, unread } = observedReads(object)
  model.prototype.validate.call(observed)
  return unread()
}

test('docs/kubernetes-jobs.md: the CronJob is valid, and has the sidecar of the component', () => {
  const [, text = ''] = /```yaml\n([\s\S]*?)```/.exec(readFileSync(join(root, 'docs/kubernetes-jobs.md'), 'utf8')) ?? []
  const shown = parse(text)
  expect(unknownKeys(shown)).toEqual([])
  const component = parse(readFileSync(join(root, 'config/kubernetes/component/sidecar.yaml'), 'utf8'))
  const [ours] = component.spec.template.spec.initContainers
  const [theirs] = shown.spec.jobTemplate.spec.template.spec.initContainers
  for (const key of ['name', 'restartPolicy', 'args', 'volumeMounts']) expect(theirs[key]).toEqual(ours[key])
})

test('component: the sidecar of a CronJob is that of the other kinds', () => {
  const read = (name: string) => parse(readFileSync(join(root, 'config/kubernetes/component', name), 'utf8'))
  expect(read('cron-job.yaml').spec.jobTemplate.spec).toEqual(read('sidecar.yaml').spec)
})

needs('kubectl', hasKubectl)

describe.runIf(hasKubectl)('component and claim, on every kind of workload', () => {
  const objects: Named[] = hasKubectl ? documents(kubectl('kustomize', 'test/deploy/kinds')) : []
  // biome-ignore lint/suspicious/noExplicitAny: rendered YAML, whose schema unknownKeys checks.
  const specOf = (kind: string, name: string): any =>
    (objects.find((one) => one.kind === kind && one.metadata.name === name) as { spec?: unknown } | undefined)?.spec

  test.each([
    ['Deployment', 'deployment'],
    ['StatefulSet', 'stateful-set'],
    ['DaemonSet', 'daemon-set'],
    ['Job', 'job'],
    ['CronJob', 'cron-job'],
  ])('a labelled %s has the native sidecar, its volumes and its label, and matches its schema', (kind, name) => {
    const object = objects.find((one) => one.kind === kind && one.metadata.name === name)
    expect(object && unknownKeys(object)).toEqual([])
    const outer = specOf(kind, name)
    const { metadata, spec } = (outer.jobTemplate?.spec ?? outer).template
    expect(metadata.labels).toEqual({ app: name, 'breakwater.io/sidecar': 'true' })
    expect(spec.initContainers.map((one: Container) => [one.name, one.restartPolicy])).toEqual([
      ['breakwater', 'Always'],
    ])
    const mounted = spec.initContainers[0].volumeMounts.map((one: { name: string }) => one.name)
    expect(spec.volumes.map((one: { name: string }) => one.name).sort()).toEqual(mounted.sort())
  })

  test('a Job without the label has no sidecar', () => {
    expect(specOf('Job', 'alone').template.spec.initContainers).toBeUndefined()
  })

  test('claim: only the Deployment is recreated, with its store on the claim', () => {
    const { strategy, template } = specOf('Deployment', 'deployment')
    expect(strategy).toEqual({ type: 'Recreate' })
    const data = (spec: { volumes: { name: string }[] }) => spec.volumes.find(({ name }) => name === 'breakwater-data')
    expect(data(template.spec)).toEqual({
      name: 'breakwater-data',
      persistentVolumeClaim: { claimName: 'breakwater-data' },
    })
    expect(specOf('PersistentVolumeClaim', 'breakwater-data').accessModes).toEqual(['ReadWriteOnce'])
    expect(data(specOf('DaemonSet', 'daemon-set').template.spec)).toMatchObject({ emptyDir: {} })
  })
})

describe.runIf(hasKubectl)('make-video-scaled', () => {
  const objects: Named[] = hasKubectl ? documents(kubectl('kustomize', 'config/kubernetes/make-video-scaled')) : []
  // biome-ignore lint/suspicious/noExplicitAny: rendered YAML, whose schema unknownKeys checks.
  const named = (kind: string, name: string): any =>
    objects.find((one) => one.kind === kind && one.metadata.name.startsWith(name))

  test('every object matches its schema', () => {
    expect(objects.flatMap(unknownKeys)).toEqual([])
  })

  /** Environment of the sidecar, with the values of the ConfigMaps that it names. */
  const environment = () => {
    const { scaleTargetRef } = named('HorizontalPodAutoscaler', 'make-video-worker').spec
    const [{ env }] = named(scaleTargetRef.kind, scaleTargetRef.name).spec.template.spec.initContainers
    type Variable = { name: string; value?: string; valueFrom?: { configMapKeyRef?: { name: string; key: string } } }
    return Object.fromEntries(
      env.map(({ name, value, valueFrom }: Variable) => {
        const { name: map = '', key = '' } = valueFrom?.configMapKeyRef ?? {}
        return [name, value ?? (map === '' ? TOKEN : named('ConfigMap', map).data[key])]
      }),
    )
  }
  const loadedWith = (variables: Record<string, string>) => {
    const loaded = loadConfig(named('ConfigMap', 'breakwater').data['proxy.yaml'], 'proxy.yaml', variables)
    if (!loaded.ok) throw new Error(formatFaults(loaded.faults))
    return loaded.config
  }

  test('one rate holds for all pods: they are a fleet over the Redis of the service', () => {
    const { maxReplicas } = named('HorizontalPodAutoscaler', 'make-video-worker').spec
    const scaled = loadedWith(environment())
    const one = loadedWith({ BREAKWATER_TOKEN: TOKEN })
    expect(scaled.fleet).toMatchObject({
      redis: { nodes: [{ host: 'redis', port: 6379 }] },
      name: 'make-video',
      pods: maxReplicas,
    })
    expect(one.fleet).toBe(false)
    expect(scaled.upstreams).toEqual(one.upstreams)
    expect(scaled.upstreams.find(({ name }) => name === 'video-downloader')?.rate).toMatchObject({
      requests: 90,
      perMs: 60_000,
    })
  })

  test('checkpoints are in the Redis of the service, under the name that the rendered ConfigMap has', () => {
    const [{ env }] = named('Deployment', 'make-video-worker').spec.template.spec.initContainers
    const { configMapKeyRef } = env.find((one: { name: string }) => one.name === 'BREAKWATER_STORE').valueFrom
    expect(named('ConfigMap', configMapKeyRef.name).data[configMapKeyRef.key]).toMatch(/^redis:/)
  })
})

describe.runIf(hasKubectl)('config/kubernetes', () => {
  const objects = hasKubectl ? documents(kubectl('kustomize', 'config/kubernetes/make-video')) : []
  const base = hasKubectl ? documents(kubectl('kustomize', 'config/kubernetes/make-video/base')) : []
  const named = (kind: string, name: string, among = objects) =>
    among.find((object: Named) => object.kind === kind && object.metadata.name === name)
  const podOf = (name: string, among = objects) => (named('Deployment', name, among) as Deployment).spec?.template.spec
  const sidecars = () => podOf('make-video-worker')?.initContainers ?? []
  const sidecar = () => sidecars()[0] as Container
  const secret = () => documents(kubectl(...createSecret()))[0]

  /** The command of the guide that creates the Secret; with --dry-run it needs no cluster. */
  function createSecret(): string[] {
    const guide = readFileSync(join(root, 'docs/guides/make-video-in-a-pod.md'), 'utf8')
    const [, words = ''] = /^kubectl (.*create secret .*)$/m.exec(guide) ?? []
    return [...words.replace('"$(openssl rand -hex 32)"', TOKEN).split(' '), '--dry-run=client', '-o', 'yaml']
  }

  /** The configuration of the ConfigMap, loaded with the environment variables of the sidecar container. */
  function configured(): Config {
    const config = named('ConfigMap', 'breakwater')
    const loaded = loadConfig(config.data['proxy.yaml'], 'proxy.yaml', environment())
    if (!loaded.ok) throw new Error(formatFaults(loaded.faults))
    expect(formatWarnings(warningsOf(loaded.config, loaded.origins))).toBe('')
    return loaded.config
  }

  function environment(): Record<string, string> {
    const given = (sidecar().env ?? []).map(({ name, value, valueFrom }) => {
      const { name: of, key = '' } = valueFrom?.secretKeyRef ?? {}
      if (of === undefined) return [name, value ?? '']
      expect(secret().metadata.name).toBe(of)
      return [name, Buffer.from(secret().data[key], 'base64').toString()]
    })
    return Object.fromEntries(given)
  }

  test.each(objects.map((object: Named) => [`${object.kind} ${object.metadata.name}`, object] as const))(
    '%s matches its Kubernetes schema and has no unknown key',
    (_, object) => {
      expect(unknownKeys(object)).toEqual([])
    },
  )

  test('the manifests have the six expected kinds, and unknownKeys finds a misspelt key', () => {
    expect(new Set(objects.map(({ kind }: Named) => kind))).toEqual(
      new Set(['ConfigMap', 'PersistentVolumeClaim', 'Service', 'Deployment', 'PodMonitor', 'NetworkPolicy']),
    )
    const worker = structuredClone(named('Deployment', 'make-video-worker'))
    worker.spec.template.spec.initContainers[0].startupProb = {}
    expect(unknownKeys(worker)).toEqual(['/spec/template/spec/initContainers/0/startupProb'])
    worker.spec.template.spec.initContainers[0].ports[0].containerPort = 'metrics'
    expect(() => unknownKeys(worker)).toThrow('containerPort must be integer')
  })

  test('the worker has a native sidecar as its only init container; the API and beat have none', () => {
    expect(sidecars().map(({ name, restartPolicy }) => [name, restartPolicy])).toEqual([['breakwater', 'Always']])
    expect(podOf('make-video-worker', base)?.initContainers).toBeUndefined()
    for (const name of ['make-video-api', 'make-video-beat']) {
      expect(podOf(name)?.containers).toHaveLength(1)
      expect(podOf(name)?.initContainers).toBeUndefined()
    }
  })

  test('the sidecar has no lifecycle hook, and the worker has over 30 s to end', () => {
    expect(sidecar().lifecycle).toBeUndefined()
    expect(podOf('make-video-worker')?.terminationGracePeriodSeconds).toBeGreaterThan(30)
  })

  test('the configuration of the sidecar loads without faults or warnings', () => {
    expect(configured().upstreams.map(({ name }) => name)).toEqual([
      'youtube-search',
      'video-downloader',
      'audio-transcriber',
    ])
    expect(configured().control.token).toBe(TOKEN)
  })

  test('probes and Prometheus use the port of control.metricsListen; all other listeners are on loopback', () => {
    const { control, upstreams, listen } = configured()
    const [port] = sidecar().ports ?? []
    expect(control.metricsListen).toEqual({ host: '0.0.0.0', port: port?.containerPort })
    const { startupProbe, livenessProbe, readinessProbe } = sidecar()
    expect([startupProbe, livenessProbe, readinessProbe].map((probe) => probe?.httpGet)).toEqual(
      ['/startupz', '/livez', '/readyz'].map((path) => ({ path, port: port?.name })),
    )
    expect(named('PodMonitor', 'breakwater').spec.podMetricsEndpoints).toMatchObject([{ port: port?.name }])
    const others = [listen, control.listen, ...upstreams.map((upstream) => upstream.listen)]
    expect(others.map((address) => address?.host)).toEqual(others.map(() => '127.0.0.1'))
  })

  test("the worker's base URLs are the sidecar's listeners, one for each upstream", () => {
    const worker = podOf('make-video-worker')?.containers[0]
    const value = (name: string) => worker?.env?.find((one) => one.name === name)?.value
    expect(['YOUTUBE_SEARCH_URL', 'VIDEO_DOWNLOADER_URL', 'AUDIO_TRANSCRIBER_URL'].map(value)).toEqual(
      configured().upstreams.map(({ listen }) => listen && `http://${listen.host}:${listen.port}`),
    )
  })

  test('every ConfigMap, Secret and volume that a pod names exists, and no mount uses subPath', () => {
    const pods = ['make-video-api', 'make-video-worker', 'make-video-beat'].map((name) => podOf(name))
    const text = JSON.stringify(pods)
    const maps = [...text.matchAll(/"(?:configMap|configMapRef)":\{"name":"([^"]+)"\}/g)].map(([, name = '']) => name)
    expect(maps).toHaveLength(4)
    expect(maps.filter((name) => named('ConfigMap', name) === undefined)).toEqual([])
    const secrets = [...text.matchAll(/"secretKeyRef":(\{[^}]+\})/g)].map(([, ref = '']) => JSON.parse(ref))
    expect(secrets).toEqual([secrets[0], secrets[0]])
    expect(unknownKeys(secret())).toEqual([])
    expect([secret().metadata.name, Object.keys(secret().data)]).toEqual([secrets[0].name, [secrets[0].key]])
    const claims = [...text.matchAll(/"claimName":"([^"]+)"/g)].map(([, name = '']) => name)
    expect(claims).toHaveLength(2)
    expect(claims.filter((name) => named('PersistentVolumeClaim', name) === undefined)).toEqual([])
    for (const pod of pods) {
      const mounts = [...(pod?.initContainers ?? []), ...(pod?.containers ?? [])].flatMap(
        (one) => one.volumeMounts ?? [],
      )
      expect(mounts.map(({ name }) => name).sort()).toEqual((pod?.volumes ?? []).map(({ name }) => name).sort())
      expect(mounts.filter(({ subPath }) => subPath !== undefined)).toEqual([])
    }
  })

  test('the worker and the API mount the same data volume and have the same security context', () => {
    const [api, worker] = ['make-video-api', 'make-video-worker'].map((name) => podOf(name))
    expect(api?.containers[0]?.volumeMounts).toEqual([{ name: 'make-video-data', mountPath: '/app/data' }])
    expect(worker?.containers[0]?.volumeMounts).toEqual(api?.containers[0]?.volumeMounts)
    expect(worker?.securityContext).toMatchObject({ fsGroup: 1000 })
    expect(api?.securityContext).toEqual(worker?.securityContext)
  })

  test('every container has an image that the kustomization names', () => {
    const pods = ['make-video-api', 'make-video-worker', 'make-video-beat'].map((name) => podOf(name))
    const containers = pods.flatMap((pod) => [...(pod?.initContainers ?? []), ...(pod?.containers ?? [])])
    expect(new Set(containers.map(({ image }) => image))).toEqual(
      new Set(['registry.example.com/make-video-clip:1', 'registry.example.com/breakwater:0.1.0']),
    )
  })

  test('a variable refers only to earlier variables, since Kubernetes does not expand later ones', () => {
    const names = (sidecar().env ?? []).map(({ name }) => name)
    for (const [place, { value = '' }] of (sidecar().env ?? []).entries())
      for (const [, name = ''] of value.matchAll(/\$\((\w+)\)/g)) expect(names.slice(0, place)).toContain(name)
    const fields = Object.fromEntries(
      (sidecar().env ?? []).map((one) => [one.name, one.valueFrom?.fieldRef?.fieldPath]),
    )
    expect(fields).toMatchObject({ POD_NAME: 'metadata.name', POD_NAMESPACE: 'metadata.namespace' })
  })

  test('the sidecar reads its configuration from the mounted folder, and can write only to /data and /tmp', () => {
    const [config, ...writable] = sidecar().volumeMounts ?? []
    expect(sidecar().args).toEqual(['run', '--config', `${config?.mountPath}/proxy.yaml`])
    expect([...writable.map(({ mountPath }) => mountPath)].sort()).toEqual(['/data', '/tmp'])
    expect(configured().checkpoints.store).toMatchObject({ kind: 'file', folder: '/data' })
    expect(sidecar().securityContext).toMatchObject({
      runAsNonRoot: true,
      readOnlyRootFilesystem: true,
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
      seccompProfile: { type: 'RuntimeDefault' },
    })
  })

  test('/tmp and what the node reserves hold what the sidecar may keep there', () => {
    const volumes = podOf('make-video-worker')?.volumes ?? []
    const sizes = ['breakwater-data', 'breakwater-tmp'].map((name) =>
      String(volumes.find((one) => one.name === name)?.emptyDir?.sizeLimit),
    )
    const MI = 2 ** 20
    const bytes = sizes.map((size) => Number.parseInt(size, 10) * (size.endsWith('Gi') ? 1024 * MI : MI))
    expect(configured().bodies.disk).toBeLessThanOrEqual(bytes[1] ?? 0)
    const reserved = Number.parseInt(String(sidecar().resources?.requests?.['ephemeral-storage']), 10) * MI
    expect(reserved).toBe(bytes.reduce((sum, one) => sum + one, 0))
  })

  test('/tmp holds four of the largest kept request bodies', () => {
    const tmp = podOf('make-video-worker')?.volumes?.find(({ name }) => name === 'breakwater-tmp')
    expect(tmp?.emptyDir?.sizeLimit).toBe('1Gi')
    const largest = Math.max(...configured().upstreams.map(({ retry }) => retry.bodyBuffer.diskBytes))
    expect(2 ** 30 / largest).toBeGreaterThanOrEqual(4)
  })

  test('the NetworkPolicy allows the upstreams, Redis, DNS and port 443, and Prometheus to read the metrics', () => {
    const { ingress, egress, podSelector } = named('NetworkPolicy', 'make-video-worker').spec
    const worker: Deployment = named('Deployment', 'make-video-worker')
    expect(worker.spec?.template.metadata?.labels).toMatchObject(podSelector.matchLabels)
    type Peer = { podSelector?: { matchLabels: Record<string, string> }; ipBlock?: { cidr: string } }
    type Rule = { ports: { port: number }[]; to: Peer[] }
    const written = ({ podSelector, ipBlock }: Peer) => ipBlock?.cidr ?? Object.values(podSelector?.matchLabels ?? {})
    const allowed = egress.flatMap(({ ports, to }: Rule) =>
      ports.flatMap(({ port }) => to.map((peer) => `${written(peer)}:${port}`)),
    )
    const needed = configured().upstreams.flatMap(({ urls }) => urls.map((url) => new URL(url).host))
    const { REDIS_URL = '' } = base.find(({ kind }: Named) => kind === 'ConfigMap').data
    const dns = ['kube-dns:53', '169.254.20.10/32:53']
    expect(allowed).toEqual([...dns, ...dns, ...needed, new URL(REDIS_URL).host, '0.0.0.0/0:443'])
    expect(ingress).toMatchObject([{ ports: [{ port: configured().control.metricsListen?.port }] }])
  })

  test('the ConfigMap keeps its name without a hash, so a change reaches the running sidecar', () => {
    const volumes = podOf('make-video-worker')?.volumes ?? []
    const source = parse(readFileSync(join(root, 'config/kubernetes/make-video/kustomization.yaml'), 'utf8'))
    expect(volumes[0]?.configMap?.name).toBe(source.configMapGenerator[0].name)
  })
})
