/** Entry of the web app: language, providers, first render; then, when the browser is idle, identity and swarm. */
import { QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { queryClient, serverQuery, sessionQuery } from './api/queries.ts';
import { inBackground, reportProblem } from './app/problems.ts';
import { router } from './app/router.tsx';
import { connectSwarm } from './app/swarm.ts';
import { NotFound } from '../../src/base/errors.ts';
import { startI18n } from './i18n/index.ts';
import { restoreIdentity } from './identity/store.ts';
import { restoreUploads } from './upload/restore.ts';
import './styles/main.css';

/** The server's facts are asked for when the first swarm is joined, and again as they age (ICE credentials expire). */
connectSwarm(async () => {
  const { createSwarmClient } = await import('./swarm/index.ts');
  return createSwarmClient(() => queryClient.fetchQuery(serverQuery));
});

async function start(): Promise<void> {
  const container = document.querySelector('#app');
  if (container === null) throw new NotFound('the page has no #app element');
  await startI18n();
  createRoot(container).render(
    <StrictMode>
      <QueryClientProvider client={queryClient}>
        <RouterProvider router={router} />
      </QueryClientProvider>
    </StrictMode>,
  );
  // The session first: uploads go on under it.
  await restoreIdentity(async () => (await queryClient.ensureQueryData(sessionQuery)).pubkey).catch(reportProblem);
  await restoreUploads();
}

inBackground(start());
