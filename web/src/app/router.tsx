/** The pages and their addresses. Every page but the frame is a chunk of its own. */
import { createRootRoute, createRoute, createRouter, lazyRouteComponent, Outlet } from '@tanstack/react-router';
import { NotFoundPage } from '../pages/not-found.tsx';
import { CrashPage } from '../pages/crash.tsx';
import { Shell } from './shell.tsx';

const root = createRootRoute({ component: Outlet });

const shell = createRoute({ getParentRoute: () => root, id: 'shell', component: Shell });

const home = createRoute({
  getParentRoute: () => shell,
  path: '/',
  component: lazyRouteComponent(() => import('../pages/home.tsx'), 'HomePage'),
});

const medium = createRoute({
  getParentRoute: () => shell,
  path: '/m/$sha256',
  component: lazyRouteComponent(() => import('../pages/medium.tsx'), 'MediumPage'),
});

const seeding = createRoute({
  getParentRoute: () => shell,
  path: '/seeding',
  component: lazyRouteComponent(() => import('../pages/seeding.tsx'), 'SeedingPage'),
});

const settings = createRoute({
  getParentRoute: () => shell,
  path: '/settings',
  component: lazyRouteComponent(() => import('../pages/settings.tsx'), 'SettingsPage'),
});

const setup = createRoute({
  getParentRoute: () => shell,
  path: '/setup',
  component: lazyRouteComponent(() => import('../pages/setup.tsx'), 'SetupPage'),
});

const unknown = createRoute({ getParentRoute: () => shell, path: '$', component: NotFoundPage });

const embed = createRoute({
  getParentRoute: () => root,
  path: '/embed/$sha256',
  component: lazyRouteComponent(() => import('../pages/embed.tsx'), 'EmbedPage'),
});

export const router = createRouter({
  routeTree: root.addChildren([shell.addChildren([home, medium, seeding, settings, setup, unknown]), embed]),
  defaultPreload: 'intent',
  defaultNotFoundComponent: NotFoundPage,
  defaultErrorComponent: CrashPage,
  scrollRestoration: true,
});

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}
